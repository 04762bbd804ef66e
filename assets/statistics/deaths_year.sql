/*
title = "死亡（年次）"
description = "その年に届け出られた死亡。最後の住所地の小学校区。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "deaths"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "district"
*/
SELECT district_before AS area, count(*) AS events
FROM resident_movements
WHERE reason = 'death'
GROUP BY ALL
