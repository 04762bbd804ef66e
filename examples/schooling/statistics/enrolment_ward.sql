/*
title = "区別・学年別児童数"
description = "月末現在、市立小学校に在籍する児童。"
owner = "教育委員会事務局学校計画課"
period = "month"
group = "stocks"
population = "pupils"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "ward"
grade = "grade"
*/
SELECT ward AS area, grade, count(*) AS persons
FROM school_enrolment
GROUP BY ALL
