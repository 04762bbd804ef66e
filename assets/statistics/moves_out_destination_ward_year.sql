/*
title = "市外への転出・転出先別・区別（年次）"
description = "市外（国外を含む）への転出。"
owner = "企画調整局政策課"
period = "year"
group = "flows"
population = "moves_out"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別の転出・転出先別（年次）"
[dimensions]
area = "ward"
counterpart = "counterpart"
[[ties]]
table = "moves_out_hyogo_month"
at = { counterpart = "hyogo" }
*/
SELECT ward_before AS area, counterpart, count(*) AS events
FROM resident_movements
WHERE reason IN ('out_domestic', 'out_abroad')
GROUP BY ALL
