/*
title = "区間移動（年次）"
description = "市内の区から区への移動。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "ward_moves"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
origin = "ward"
destination = "ward"
[roles]
origin = "origin"
destination = "destination"
*/
SELECT ward_before AS origin, ward_after AS destination, count(*) AS events
FROM resident_movements
WHERE reason = 'ward_move'
GROUP BY ALL
