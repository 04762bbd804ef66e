import assert from 'node:assert/strict';
import { test } from 'node:test';

import { APART, shownOf } from '../../../../dashboards/theme/src/comparing.js';
import { compared, MOST, withOne } from '../../../../dashboards/theme/src/pins.js';
import { ordered } from '../../../../dashboards/theme/src/range.js';
import { panelsOf } from '../../../../dashboards/theme/src/slides.js';

const months = ['2024-01', '2024-02', '2025-01', '2025-02'];
const line = { kind: 'LineChart', title: '推移', unit: '人', digits: 0, opts: { periods: true } };
const part = (label, rows, x = months, s = ['']) => ({ label, record: { x, s, v: {} }, rows });
const rowsOf = (component, rows, options, x) => shownOf(component, [part('', rows, x)], options).rows;

test('one choice is shown as it is', () => {
  const only = part('', [[1, 2, 3, 4]]);
  const shown = shownOf(line, [only]);
  assert.equal(shown.record, only.record);
  assert.equal(shown.rows, only.rows);
  assert.equal(shown.panels, undefined);
});

test('lines of several areas stand in one chart, aligned by month', () => {
  const shown = shownOf(line, [part('垂水区', [[1, 'X']], ['2025-01', '2025-02']), part('灘区', [[5, 6]], ['2024-12', '2025-01']), part('北区', undefined)]);
  assert.deepEqual(shown.record, { x: ['2024-12', '2025-01', '2025-02'], s: ['垂水区', '灘区', '北区'] });
  assert.deepEqual(shown.rows, [[null, 1, 'X'], [5, 6, null], [null, null, null]]);
  assert.equal(shown.panels, undefined);
});

test('charts with series stand side by side, and their table has them all', () => {
  const shown = shownOf({ ...line, kind: 'Pyramid' }, [part('垂水区', [[1], ['X']], ['0～4歳'], ['男', '女']), part('灘区', [[3], [4]], ['0～4歳'], ['男', '女'])]);
  assert.deepEqual(shown.record.s, ['垂水区 男', '垂水区 女', '灘区 男', '灘区 女']);
  assert.deepEqual(shown.rows, [[1], ['X'], [3], [4]]);
  assert.deepEqual(shown.panels.map(({ label, rows }) => [label, rows]), [['垂水区', [[1], ['X']]], ['灘区', [[3], [4]]]]);
  assert.deepEqual(panelsOf({ choices: [], shown }).map(({ component }) => component.title), ['推移 垂水区', '推移 灘区']);
});

test('small multiples are one panel for each value of their column', () => {
  const s = [`灘区${APART}男`, `灘区${APART}女`, `北区${APART}男`];
  const faceted = { ...line, opts: { periods: true, facet: true } };
  const shown = shownOf(faceted, [part('', [[1], [2], ['X']], ['2025-01'], s)]);
  assert.deepEqual(shown.panels.map(({ label, record, rows }) => [label, record.s, rows]), [['灘区', ['男', '女'], [[1], [2]]], ['北区', ['男'], [['X']]]]);
  assert.deepEqual(shown.record.s, ['灘区 男', '灘区 女', '北区 男']);
});

test('a range keeps its months, of years too', () => {
  assert.deepEqual(shownOf(line, [part('', [[1, 2, 3, 4]])], { range: ['2024-02', '2025-01'] }).record.x, ['2024-02', '2025-01']);
  assert.deepEqual(rowsOf(line, [[1, 2, 3]], { range: ['2024-02', '2025-01'] }, ['2023', '2024', '2025']), [[2, 3]]);
});

test('an index is over the first month shown', () => {
  assert.deepEqual(rowsOf(line, [[50, 100, null, 25]], { view: 'index' }), [[100, 200, null, 50]]);
  const shown = shownOf(line, [part('', [[50, 100, 200, 25]])], { view: 'index', range: ['2024-02', '2025-02'] });
  assert.deepEqual(shown.rows, [[100, 200, 25]]);
  assert.deepEqual([shown.component.unit, shown.component.told], ['', '指数（2024年2月＝100）']);
});

test('an index over a hidden figure is hidden, throughout where the base is', () => {
  assert.deepEqual(rowsOf(line, [[50, 'X', 100, 50]], { view: 'index' }), [[100, 'X', 200, 100]]);
  assert.deepEqual(rowsOf(line, [['X', 1, 2, null]], { view: 'index' }), [['X', 'X', 'X', 'X']]);
  assert.deepEqual(rowsOf(line, [[0, 1, null, 2]], { view: 'index' }), [[null, null, null, null]]);
});

test('a change is on the same month of the year before, and hidden where either is', () => {
  const [row] = rowsOf(line, [[100, 'X', 110, 5]], { view: 'year' });
  assert.deepEqual(row.map((value) => (typeof value === 'number' ? Math.round(value * 10) / 10 : value)), [null, null, 10, 'X']);
  assert.deepEqual(rowsOf(line, [[4, 4, 'X', null]], { view: 'year' }), [[null, null, 'X', null]]);
});

test('a month before the range still counts for the change', () => {
  const shown = shownOf(line, [part('', [[100, 1, 150, 1]])], { view: 'year', range: ['2025-01', '2025-01'] });
  assert.deepEqual([shown.record.x, shown.rows], [['2025-01'], [[50]]]);
});

test('years of different months have no change', () => {
  const years = { ...line, opts: { periods: true, months: { 2025: '7〜12月' } } };
  assert.deepEqual(rowsOf(years, [[4, 6, 8]], { view: 'year' }, ['2023', '2024', '2025']), [[null, 50, null]]);
});

test('an order by size tells nothing of what is hidden', () => {
  const bars = { ...line, kind: 'BarChart', opts: {} };
  const shown = shownOf(bars, [part('', [[3, 'X', 9, null, 'X', 9]], ['a', 'b', 'c', 'd', 'e', 'f'])], { view: 'rank' });
  assert.deepEqual(shown.record.x, ['c', 'f', 'a', 'b', 'e', 'd']);
});

test('lines at figures do not stand over an index', () => {
  const guided = { ...line, opts: { periods: true, lines: [{ y: 5, label: '目標' }, { x: '2024-02', label: '調査' }] } };
  assert.deepEqual(shownOf(guided, [part('', [[1, 2, 3, 4]])], { view: 'index' }).component.opts.lines, [{ x: '2024-02', label: '調査' }]);
});

test('no way to look turns a hidden figure into a number, or a number into more than it was', () => {
  const values = [0, 1, 40, 'X', null];
  for (const a of values) for (const b of values) for (const c of values) {
    for (const view of ['index', 'year', 'rank', undefined]) {
      const x = ['2023', '2024', '2025'];
      const component = view === 'rank' ? { ...line, kind: 'BarChart', opts: {} } : line;
      const [row] = rowsOf(component, [[a, b, c]], { view }, x);
      const hidden = [a, b, c].filter((value) => value === 'X').length;
      if (view !== 'year') assert.ok(row.filter((value) => value === 'X').length >= hidden, JSON.stringify([a, b, c, view, row]));
      if (view === 'year') [[a, b], [b, c]].forEach(([then, now], at) => (then === 'X' || now === 'X') && assert.equal(row[at + 1], 'X'));
    }
  }
});

test('four stand side by side at most, the choice first', () => {
  assert.deepEqual(compared(['a', 'b'], 'c'), ['c', 'a', 'b']);
  assert.deepEqual(compared(['a', 'b', 'c', 'd'], 'e'), ['e', 'a', 'b', 'c']);
  assert.equal(withOne(['a', 'b', 'c', 'd'], 'e').length, MOST);
  assert.deepEqual(withOne(['a'], 'a'), ['a']);
});

test('the ends of a range stay in order', () => {
  assert.equal(ordered(['2024-01', '2025-01'], 0), '2024-01..2025-01');
  assert.equal(ordered(['2025-02', '2025-01'], 0), '2025-02..2025-02');
  assert.equal(ordered(['2025-02', '2025-01'], 1), '2025-01..2025-01');
});
