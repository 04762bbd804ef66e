/*
title = "区内転居（月次）"
description = "同じ区の中での転居。"
owner = "企画調整局政策課"
period = "month"
group = "flows"
population = "within_ward"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "ward"
*/
SELECT ward_after AS area, count(*) AS events
FROM resident_movements
WHERE reason = 'within_ward'
GROUP BY ALL
