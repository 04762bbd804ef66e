/*
title = "区別・年齢別・男女別人口"
description = "月末現在の住民基本台帳人口。区、年齢（5歳階級）、性別。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "residents"
unit = "人"
kind = "frequency"
measure = "persons"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別・年齢別・男女別人口"
[dimensions]
area = "ward"
age = "age5"
sex = "sex"
*/
SELECT ward AS area, age5 AS age, sex, count(*) AS persons
FROM resident_register
GROUP BY ALL
