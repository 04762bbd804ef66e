/*
title = "要介護状態区分の1年間の変化"
description = "月末現在の認定者を、前年同月の区分と現在の区分で数える。全市。1年の間に認定者でなくなった人は入らない。"
owner = "福祉局介護保険課"
period = "month"
group = "stocks"
population = "certified"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
before = "care_before"
level = "care"
*/
SELECT care_before AS before, care AS level, count(*) AS persons
FROM care_certification
GROUP BY ALL
