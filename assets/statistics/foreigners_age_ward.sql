/*
title = "区別・年齢別・男女別外国人数"
description = "月末現在の外国人住民。年齢は10歳階級。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "foreigners"
unit = "人"
kind = "frequency"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "ward"
age = "age10"
sex = "sex"
*/
SELECT ward AS area, age10 AS age, sex, count(*) AS persons
FROM resident_register
WHERE resident_type = 'foreign'
GROUP BY ALL
