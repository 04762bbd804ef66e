/*
title = "他区からの転入（月次）"
description = "市内の他の区からの転入。"
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
area = "destination"
*/
SELECT ward_after AS area, count(*) AS events
FROM resident_movements
WHERE reason = 'ward_move'
GROUP BY ALL
