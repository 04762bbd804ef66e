/*
title = "研修の予定"
description = "これから開かれる研修の日（8桁の数）と定員。"
owner = "行財政局人事課"
period = "month"
unit = "日・人"
kind = "public"
measure = "value"
[dimensions]
course = "course"
turn = "course_turn"
figure = "course_figure"
*/
SELECT course, turn, 'held_on' AS figure, CAST(replace(held_on, '-', '') AS BIGINT) AS value
FROM course_schedule
UNION ALL
SELECT course, turn, 'seats' AS figure, seats AS value
FROM course_schedule
