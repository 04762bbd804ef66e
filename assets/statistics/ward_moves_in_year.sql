/*
title = "他区からの転入・年齢別（年次）"
description = "市内の他の区からの転入。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "ward_moves"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "district"
age = "age_year"
[roles]
area = "destination"
[[ties]]
table = "ward_moves_in_month"
on = ["area"]
*/
SELECT district_after AS area, age_year AS age, count(*) AS events
FROM resident_movements
WHERE reason = 'ward_move'
GROUP BY ALL
