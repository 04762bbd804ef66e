/*
title = "区別・各歳別人口"
description = "月末現在の住民基本台帳人口。区、年齢（89歳まで各歳）。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "residents"
unit = "人"
kind = "frequency"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "ward"
age = "age1"
*/
SELECT ward AS area, age1 AS age, count(*) AS persons
FROM resident_register
GROUP BY ALL
