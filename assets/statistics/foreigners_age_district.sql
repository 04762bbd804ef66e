/*
title = "小学校区別・年齢別外国人数"
description = "月末現在の外国人住民。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "foreigners"
unit = "人"
kind = "frequency"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "district"
age = "age_life"
*/
SELECT district AS area, age_life AS age, count(*) AS persons
FROM resident_register
WHERE resident_type = 'foreign'
GROUP BY ALL
