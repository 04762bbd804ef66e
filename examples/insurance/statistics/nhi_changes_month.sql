/*
title = "国民健康保険の資格の取得・喪失"
description = "その月に届け出られた資格の異動。全市。"
owner = "福祉局国保年金医療課"
period = "month"
group = "insurance"
population = "nhi_changes"
unit = "件"
measure = "persons"
minimum_frequency = 10
[dimensions]
change = "nhi_change"
*/
SELECT nhi_change AS change, count(*) AS persons
FROM nhi_changes
GROUP BY ALL
