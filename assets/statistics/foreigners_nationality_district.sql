/*
title = "小学校区別・国籍別外国人数"
description = "月末現在の外国人住民。特に多い国籍・地域とその他。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "foreigners"
unit = "人"
kind = "frequency"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "district"
nationality = "nationality_major"
*/
SELECT district AS area, nationality_major AS nationality, count(*) AS persons
FROM resident_register
WHERE resident_type = 'foreign'
GROUP BY ALL
