/*
title = "区別・年齢別認定者数"
description = "月末現在の要介護・要支援認定者。"
owner = "福祉局介護保険課"
period = "month"
group = "stocks"
population = "certified"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "ward"
age = "care_age"
*/
SELECT ward AS area, care_age AS age, count(*) AS persons
FROM care_certification
GROUP BY ALL
