/*
title = "市外への転出（月次）"
description = "市外（国外を含む）への転出。"
owner = "企画調整局政策課"
period = "month"
group = "flows"
population = "moves_out"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
above = "prefecture"
above_title = "市町村別の転出（月次）"
[dimensions]
area = "ward"
*/
SELECT ward_before AS area, count(*) AS events
FROM resident_movements
WHERE reason IN ('out_domestic', 'out_abroad')
GROUP BY ALL
