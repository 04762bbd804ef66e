/*
title = "区別・在留期間別外国人数"
description = "月末現在の外国人住民。外国人住民となってからの期間。"
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
stay = "stay"
*/
SELECT ward AS area, stay, count(*) AS persons
FROM resident_register
WHERE resident_type = 'foreign'
GROUP BY ALL
