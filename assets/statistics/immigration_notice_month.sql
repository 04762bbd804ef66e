/*
title = "出入国在留管理庁通知による消除（月次）"
description = "外国人住民のうち、通知により消除された者。"
owner = "企画調整局政策課"
period = "month"
group = "flows"
population = "immigration_notice"
unit = "件"
kind = "frequency"
measure = "events"
minimum_frequency = 10
[dimensions]
area = "city"
*/
SELECT '{{municipality}}' AS area, count(*) AS events
FROM resident_movements
WHERE immigration_notice AND reason IN ('admin_out', 'out_abroad')
GROUP BY ALL
