/*
title = "他区への転出（月次）"
description = "市内の他の区への転出。"
owner = "企画調整局政策課"
period = "month"
group = "flows"
population = "ward_moves"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "ward"
[roles]
area = "origin"
*/
SELECT ward_before AS area, count(*) AS events
FROM resident_movements
WHERE reason = 'ward_move'
GROUP BY ALL
