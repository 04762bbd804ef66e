/*
title = "平均年齢"
description = "月末現在の平均年齢。年齢不詳を除き、90歳以上は90歳とみなす。100人未満の区分は出さない。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "residents"
unit = "歳"
kind = "mean"
measure = "mean"
minimum_frequency = 100
[dimensions]
area = "district"
sex = "sex"
[averages]
table = "population_district"
column = "age"
most = 90
*/
SELECT district AS area, sex, sum(age) AS total, count(age) AS persons
FROM resident_register
GROUP BY ALL
