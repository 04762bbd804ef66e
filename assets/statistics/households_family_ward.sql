/*
title = "区別・家族類型別世帯数"
description = "月末現在の世帯数。家族類型は続柄から判定する。"
owner = "企画調整局政策課"
period = "month"
group = "stocks"
population = "households"
unit = "世帯"
kind = "frequency"
measure = "households"
minimum_frequency = 10
[dimensions]
area = "ward"
family = "family"
*/
SELECT ward AS area, family, count(*) AS households
FROM resident_register
WHERE is_representative
GROUP BY ALL
