/*
title = "推計人口"
description = "国勢調査を基に、毎月の出生・死亡・転入・転出を加減した人口と世帯数。"
owner = "企画調整局政策課"
period = "month"
unit = "人・世帯"
kind = "public"
measure = "value"
[dimensions]
area = "ward"
series = "series"
*/
WITH latest AS (
    -- A month may be delivered as first published and as revised after a census: the revised one counts.
    SELECT * FROM estimated_population
    QUALIFY row_number() OVER (PARTITION BY ward_code ORDER BY basis = 'revised' DESC) = 1
)
SELECT ward_code AS area, 'population' AS series, population AS value FROM latest
UNION ALL SELECT ward_code, 'households', households FROM latest
UNION ALL SELECT ward_code, 'male', male FROM latest
UNION ALL SELECT ward_code, 'female', female FROM latest
