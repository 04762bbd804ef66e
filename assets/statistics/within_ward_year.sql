/*
title = "区内転居・年齢別（年次）"
description = "同じ区の中での転居。転居後の区。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "within_ward"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "district"
age = "age_year"
[[ties]]
table = "within_ward_month"
on = ["area"]
*/
SELECT district_after AS area, age_year AS age, count(*) AS events
FROM resident_movements
WHERE reason = 'within_ward'
GROUP BY ALL
