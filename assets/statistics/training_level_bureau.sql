/*
title = "局別・段階別の職員数"
description = "局ごとの、研修で到達した段階別の職員数。A 上級は B とあわせて数える。記録のある職員が30人に満たない局は分けて出さず（0 になる）、全市の合計だけに入る。"
owner = "行財政局人事課"
period = "month"
group = "training"
population = "trained_staff"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "bureau"
level = "reached_level_bureau"
*/
SELECT bureau AS area, reached_level_bureau AS level, count(*) AS persons
FROM training_records
WHERE is_counted
GROUP BY ALL
