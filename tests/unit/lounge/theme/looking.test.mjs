import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { classesOf, shadeOf } from '../../../../dashboards/theme/src/classes.js';
import { pathTo, under } from '../../../../dashboards/theme/src/drill.js';
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

test('breadcrumbs lead from the top down to what is open', () => {
  const places = { root: '神戸市', up: { 灘区: '神戸市', 北区: '神戸市', 六甲: '灘区' } };
  assert.deepEqual(pathTo('六甲', places), ['神戸市', '灘区', '六甲']);
  assert.deepEqual(pathTo('神戸市', places), ['神戸市']);
  assert.deepEqual(under('神戸市', places), ['灘区', '北区']);
  assert.deepEqual(under('北区', places), []);
});
