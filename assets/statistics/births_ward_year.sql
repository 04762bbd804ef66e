/*
title = "出生・区別・男女別（年次）"
description = "その年に届け出られた出生。母子の住所地の区。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "births"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別の出生・男女別（年次）"
[dimensions]
area = "ward"
sex = "sex"
*/
SELECT ward_after AS area, sex, count(*) AS events
FROM resident_movements
WHERE reason = 'birth'
GROUP BY ALL
