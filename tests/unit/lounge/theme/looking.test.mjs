import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { classesOf, shadeOf } from '../../../../dashboards/theme/src/classes.js';
import { areasOf, chosenFlows, toldFlows } from '../../../../dashboards/theme/src/flows.js';

const record = { x: ['灘区', '北区', '西区'], s: ['灘区', '北区', '西区', 'その他'] };
const rows = [[null, 9, 'X'], [5, null, 2], [7, 1, null], [3, 0, 'X']];
const told = (flows) => flows.map(({ from, to, value }) => `${from}→${to} ${value}`);

test('classes of a map are cut as the platform cuts them', () => {
  const { classes } = JSON.parse(readFileSync(process.env.KOBE_THEME_CASES, 'utf8'));
  assert.ok(classes.length > 10);
  for (const [known, opts, low, ends, shades] of classes) {
    const found = classesOf(known, opts);
    assert.deepEqual([found.low, found.ends, known.map((value) => shadeOf(value, found))], [low, ends, shades], JSON.stringify([known, opts]));
  }
});

test('the largest flows are drawn, and the others counted, not gathered', () => {
  const chosen = chosenFlows(record, rows, { top: 2 });
  assert.deepEqual(told(chosen.drawn), ['北区→灘区 9', '灘区→西区 7']);
  assert.deepEqual([chosen.left, chosen.hidden], [4, 2]);
  assert.equal(toldFlows(chosen), '大きい順に2本を描いています。描いていない流れ 4本は表にあります。秘匿のため描いていない流れ 2本');
  assert.equal(toldFlows(chosenFlows({ x: ['a'], s: ['b'] }, [[1]], {})), '');
});

test('a rest is drawn where a published row says it', () => {
  const chosen = chosenFlows(record, rows, { top: 1, rest: 'その他' });
  assert.deepEqual(told(chosen.drawn), ['北区→灘区 9', '灘区→その他 3']);
});

test('all published flows of the area looked at are drawn', () => {
  const chosen = chosenFlows(record, rows, { top: 1 }, '西区');
  assert.deepEqual(told(chosen.drawn), ['北区→灘区 9', '灘区→西区 7', '西区→北区 2', '北区→西区 1']);
  assert.deepEqual(areasOf(record), ['灘区', '北区', '西区', 'その他']);
});
