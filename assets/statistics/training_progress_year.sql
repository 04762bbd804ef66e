/*
title = "人材育成の集計（年度・段階）"
description = "研修で到達した職員の数と、データ利活用人材の計画、デジタル人材全体の目標。市全体。"
owner = "行財政局人事課"
period = "month"
unit = "人"
kind = "public"
measure = "value"
[dimensions]
year = "fiscal_year"
level = "training_level"
figure = "training_figure"
*/
SELECT year, level, figure, value
FROM training_progress
