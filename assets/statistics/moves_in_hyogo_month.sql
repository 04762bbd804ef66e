/*
title = "県内他市町からの転入（月次）"
description = "県内の市町からの転入。"
owner = "企画調整局政策課"
period = "month"
group = "flows"
population = "moves_in_hyogo"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
counterpart = "hyogo"
*/
SELECT hyogo AS counterpart, count(*) AS events
FROM resident_movements
WHERE reason IN ('in_domestic', 'in_abroad') AND counterpart = 'hyogo'
GROUP BY ALL
