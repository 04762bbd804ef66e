/*
title = "小学校区別・在留資格別外国人数"
description = "月末現在の外国人住民。就労・留学は技術・人文知識・国際業務、特定技能、技能実習、留学の計。"
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
residence_status = "status_major"
*/
SELECT district AS area, status_major AS residence_status, count(*) AS persons
FROM resident_register
WHERE resident_type = 'foreign'
GROUP BY ALL
