/*
title = "局別・B 中級以上の職員がいる課の数"
description = "B 中級以上の職員が一人でもいる課を、一つと数える。"
owner = "行財政局人事課"
period = "month"
group = "training"
population = "sections_with_holders"
unit = "課"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "bureau"
level = "reached_level_bureau"
*/
SELECT bureau AS area, reached_level_bureau AS level, count(*) AS persons
FROM training_records
WHERE leads_section
GROUP BY ALL
