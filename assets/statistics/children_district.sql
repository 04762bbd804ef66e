/*
title = "小学校区別・年齢別人口（15歳まで各歳）"
description = "月末現在の住民基本台帳人口。小学校区、年齢（15歳まで各歳、その上は5歳階級）。校区不明は区の計にのみ含む。"
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
age = "age_child"
*/
SELECT district AS area, age_child AS age, count(*) AS persons
FROM resident_register
GROUP BY ALL
