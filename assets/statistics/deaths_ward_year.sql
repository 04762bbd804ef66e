/*
title = "死亡・区別・男女別（年次）"
description = "その年に届け出られた死亡。最後の住所地の区。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "deaths"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別の死亡・男女別（年次）"
[dimensions]
area = "ward"
sex = "sex"
*/
SELECT ward_before AS area, sex, count(*) AS events
FROM resident_movements
WHERE reason = 'death'
GROUP BY ALL
