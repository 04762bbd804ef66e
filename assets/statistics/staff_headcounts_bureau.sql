/*
title = "局別の職員数・課の数"
description = "局ごとの職員数と課の数。"
owner = "行財政局人事課"
period = "month"
unit = "人・課"
kind = "public"
measure = "value"
[dimensions]
area = "bureau"
figure = "headcount"
*/
SELECT bureau AS area, figure, value
FROM staff_headcounts
