/*
title = "区別・年齢別の国民健康保険被保険者数"
description = "月末現在の被保険者。"
owner = "福祉局国保年金医療課"
period = "month"
group = "stocks"
population = "insured"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "ward"
age = "age10"
*/
SELECT ward AS area, age10 AS age, count(*) AS persons
FROM nhi_members
GROUP BY ALL
