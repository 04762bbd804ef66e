/*
title = "推計人口"
description = "国勢調査を基に、毎月の出生・死亡・転入・転出を加減した人口と世帯数。"
owner = "企画調整局政策課"
period = "month"
unit = "人・世帯"
kind = "public"
measure = "value"
[dimensions]
area = "ward"
series = "series"
*/
SELECT ward_code AS area, 'population' AS series, population AS value FROM estimated_population
UNION ALL SELECT ward_code, 'households', households FROM estimated_population
UNION ALL SELECT ward_code, 'male', male FROM estimated_population
UNION ALL SELECT ward_code, 'female', female FROM estimated_population
