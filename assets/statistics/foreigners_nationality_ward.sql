/*
title = "区別・国籍別外国人数"
description = "月末現在の外国人住民。主な国籍・地域とその他。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "foreigners"
unit = "人"
kind = "frequency"
measure = "persons"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別・国籍別外国人数"
[dimensions]
area = "ward"
nationality = "nationality"
*/
SELECT ward AS area, nationality, count(*) AS persons
FROM resident_register
WHERE resident_type = 'foreign'
GROUP BY ALL
