/*
title = "市外からの転入・前住地別・区別（年次）"
description = "市外（国外を含む）からの転入。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "moves_in"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別の転入・前住地別（年次）"
[dimensions]
area = "ward"
counterpart = "counterpart"
[[ties]]
table = "moves_in_hyogo_month"
at = { counterpart = "hyogo" }
*/
SELECT ward_after AS area, counterpart, count(*) AS events
FROM resident_movements
WHERE reason IN ('in_domestic', 'in_abroad')
GROUP BY ALL
