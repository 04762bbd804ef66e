/*
title = "出生（年次）"
description = "その年に届け出られた出生。母子の住所地の小学校区。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "births"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "district"
*/
SELECT district_after AS area, count(*) AS events
FROM resident_movements
WHERE reason = 'birth'
GROUP BY ALL
