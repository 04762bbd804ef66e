/*
title = "区内転居・男女別（月次）"
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
sex = "sex"
*/
SELECT sex, count(*) AS events
FROM resident_movements
WHERE reason = 'within_ward'
GROUP BY ALL
