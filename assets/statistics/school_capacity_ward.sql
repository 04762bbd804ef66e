/*
title = "小学校の受入れ（教室・学級の人数）"
description = "区ごとの、1年生に使える普通教室の数と、1学級の人数の上限。"
owner = "教育委員会事務局学校計画課"
period = "month"
unit = "室・人"
kind = "public"
measure = "value"
[dimensions]
area = "ward"
figure = "school_figure"
*/
SELECT ward_code AS area, figure, value
FROM school_capacity
