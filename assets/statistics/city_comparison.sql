/*
title = "他都市の公表値"
description = "各都市が公表した人口・世帯・異動・面積。異動は1年間の件数。"
owner = "企画調整局政策課"
period = "month"
unit = "人・世帯・ha"
kind = "public"
measure = "value"
[dimensions]
city = "compared_city"
figure = "compared_figure"
*/
SELECT DISTINCT city_code AS city, figure, value
FROM city_comparison
