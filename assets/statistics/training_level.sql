/*
title = "段階別の職員数"
description = "在職する職員のうち研修を修了した人を、到達したいちばん高い段階で一人一回数える。全市。"
owner = "行財政局人事課"
period = "month"
group = "training"
population = "trained_staff"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
level = "reached_level"
*/
SELECT reached_level AS level, count(*) AS persons
FROM training_records
WHERE is_counted
GROUP BY ALL
