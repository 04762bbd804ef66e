/*
title = "市外への転出・年齢別（年次）"
description = "市外（国外を含む）への転出。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "moves_out"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "district"
age = "age_year"
[[ties]]
table = "moves_out_month"
on = ["area"]
*/
SELECT district_before AS area, age_year AS age, count(*) AS events
FROM resident_movements
WHERE reason IN ('out_domestic', 'out_abroad')
GROUP BY ALL
