/*
title = "小学校区からの転出・転居（月次）"
description = "校区の外へ出た人。市外、他区、同じ区の他の校区へ。"
owner = "企画調整局政策課"
period = "month"
group = "flows"
population = "district_departures"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "district"
*/
SELECT district_before AS area, count(*) AS events
FROM resident_movements
WHERE reason IN ('out_domestic', 'out_abroad', 'ward_move', 'within_ward')
  AND district_before IS DISTINCT FROM district_after
GROUP BY ALL
