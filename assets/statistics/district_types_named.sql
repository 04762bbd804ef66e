/*
title = "小学校区の類型"
description = "公表値の割合が似た小学校区を、代表の校区のまわりにまとめた類型と、その安定度（%）。"
owner = "企画調整局政策課"
period = "month"
unit = "%"
kind = "public"
measure = "value"
[dimensions]
area = "district"
type = "district_type"
figure = "district_type_figure"
*/
SELECT district AS area, type, figure, value
FROM district_types
