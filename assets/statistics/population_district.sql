/*
title = "小学校区別・年齢別・男女別人口"
description = "月末現在の住民基本台帳人口。小学校区、年齢（5歳階級）、性別。校区不明は区の計にのみ含む。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "residents"
unit = "人"
kind = "frequency"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "district"
age = "age5"
sex = "sex"
*/
SELECT district AS area, age5 AS age, sex, count(*) AS persons
FROM resident_register
GROUP BY ALL
