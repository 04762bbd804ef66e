/*
title = "研修の分野別・段階別・修了年度別の職員数"
description = "分野ごとに、いちばん高い段階の研修を修了した職員を一人一回数える。分野の合計は延べ人数。"
owner = "行財政局人事課"
period = "month"
group = "training"
population = "trained_in_field"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
field = "training_field"
level = "course_level"
year = "completed_year"
*/
SELECT training_field AS field, course_level AS level, completed_year AS year, count(*) AS persons
FROM training_records
WHERE is_field_best
GROUP BY ALL
