/*
title = "小学校区への転入・転居（月次）"
description = "校区の外から来た人。市外、他区、同じ区の他の校区から。"
owner = "企画調整局政策課"
period = "month"
group = "flows"
population = "district_arrivals"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "district"
*/
SELECT district_after AS area, count(*) AS events
FROM resident_movements
WHERE reason IN ('in_domestic', 'in_abroad', 'ward_move', 'within_ward')
  AND district_after IS DISTINCT FROM district_before
GROUP BY ALL
