/*
title = "区別・世帯人員別世帯数"
description = "月末現在の世帯数。世帯主（いなければ最初の世帯員）を1世帯と数える。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "households"
unit = "世帯"
kind = "frequency"
measure = "households"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別・世帯人員別世帯数"
[dimensions]
area = "ward"
size = "household_size"
*/
SELECT ward AS area, household_size AS size, count(*) AS households
FROM resident_register
WHERE is_representative
GROUP BY ALL
