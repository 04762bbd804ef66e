import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lone, roomy, shares, stacked } from '../../../../dashboards/theme/src/stacks.js';

const record = { x: ['a', 'b', 'c'], s: ['計', '男', '女'] };
const rows = [[10, 20, 0], [4, 'X', 0], [6, 'X', 0]];

test('what is not piled is drawn as it is', () => {
  assert.deepEqual(stacked({ opts: {} }, record, rows), { names: record.s, rows, hidden: [] });
});

test('bars keep their published parts, and say where one is hidden', () => {
  const drawn = stacked({ kind: 'BarChart', opts: { stacked: true } }, { x: ['a', 'b'], s: ['男', '女'] }, [[4, 'X'], [6, 5]]);
  assert.deepEqual(drawn, { names: ['男', '女'], rows: [[4, 'X'], [6, 5]], hidden: [1] });
});

test('a stack of areas with a hidden part is not drawn at all', () => {
  const drawn = stacked({ kind: 'AreaChart', opts: { stacked: true } }, { x: ['a', 'b'], s: ['男', '女'] }, [[4, 'X'], [6, 5]]);
  assert.deepEqual(drawn.rows, [[4, null], [6, null]]);
  assert.deepEqual(drawn.hidden, [1]);
});

test('shares are of the published total, which is no part itself', () => {
  const drawn = stacked({ kind: 'AreaChart', opts: { stacked: true, total: '計' } }, record, rows);
  assert.deepEqual(drawn.names, ['男', '女']);
  assert.deepEqual(drawn.rows, [[40, null, null], [60, null, null]]);
});

test('no share is worked out where the total or a part is not published', () => {
  assert.deepEqual(shares([[1, 2], ['X', 3]], [10, 'X']), [[null, null], [null, null]]);
  assert.deepEqual(shares([[1]], undefined), [[null]]);
});

test('marks keep their distance along the axis', () => {
  assert.deepEqual(roomy([0, 1, 2, 10], 100, 200), [0, 10]);
  assert.deepEqual(roomy([], 100, 200), []);
});

test('a figure stands alone where no line leads to it', () => {
  const alone = (row) => row.flatMap((_, at) => (lone(row, at) ? [at] : []));
  assert.deepEqual(alone([1, null, 3, 'X', 5, 6, null, 8]), [0, 2, 7]);
  assert.deepEqual(alone([null, 'X', null]), []);
  assert.deepEqual(alone([4]), [0]);
});
