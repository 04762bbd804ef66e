/*
title = "死亡・年齢別（年次、全市）"
description = "その年に届け出られた死亡。死亡時の年齢（年齢不詳は90歳以上に含む）。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "deaths"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
age = "age_death"
*/
SELECT age_death AS age, count(*) AS events
FROM resident_movements
WHERE reason = 'death'
GROUP BY ALL
