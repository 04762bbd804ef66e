/*
title = "区別・在留資格別外国人数"
description = "月末現在の外国人住民。主な在留資格、または近い在留資格をまとめた区分。"
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
residence_status = "status"
*/
SELECT ward AS area, status AS residence_status, count(*) AS persons
FROM resident_register
WHERE resident_type = 'foreign'
GROUP BY ALL
