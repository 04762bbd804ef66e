/*
title = "他区への転出・年齢別（年次）"
description = "市内の他の区への転出。"
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
area = "origin"
[[ties]]
table = "ward_moves_out_month"
on = ["area"]
*/
SELECT district_before AS area, age_year AS age, count(*) AS events
FROM resident_movements
WHERE reason = 'ward_move'
GROUP BY ALL
