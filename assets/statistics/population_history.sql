/*
title = "推計人口と人口動態の過去の系列"
description = "月ごとの提供が始まる前の月の、推計人口・世帯数（各月1日現在）と、出生・死亡・市外との転入・転出。年と月は項目で、収録期間は提供の月。"
owner = "企画調整局政策課"
period = "month"
unit = "人・世帯"
kind = "public"
measure = "value"
[dimensions]
year = "calendar_year"
month = "calendar_month"
area = "ward"
series = "history_series"
*/
WITH listed AS (
    SELECT substr(CAST(as_of AS VARCHAR), 1, 4) AS year, substr(CAST(as_of AS VARCHAR), 6, 2) AS month, * FROM population_history
)
SELECT year, month, ward_code AS area, 'population' AS series, population AS value FROM listed
UNION ALL SELECT year, month, ward_code, 'households', households FROM listed
UNION ALL SELECT year, month, ward_code, 'male', male FROM listed
UNION ALL SELECT year, month, ward_code, 'female', female FROM listed
UNION ALL SELECT year, month, ward_code, 'births', births FROM listed
UNION ALL SELECT year, month, ward_code, 'deaths', deaths FROM listed
UNION ALL SELECT year, month, ward_code, 'moves_in', moves_in FROM listed
UNION ALL SELECT year, month, ward_code, 'moves_out', moves_out FROM listed
