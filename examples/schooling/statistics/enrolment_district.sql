/*
title = "小学校区別・学年別児童数"
description = "月末現在、市立小学校に在籍する児童を、住所の校区で数える。"
owner = "教育委員会事務局学校計画課"
period = "month"
group = "stocks"
population = "pupils"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "district"
grade = "grade"
*/
SELECT district AS area, grade, count(*) AS persons
FROM school_enrolment
GROUP BY ALL
