import assert from 'node:assert/strict';
import { test } from 'node:test';

import { atLevels, levelFormat, stands, tellLevels } from '../../../../dashboards/theme/src/levels.js';

const rows = { 東灘区: [[1, 2]], 灘区: [[3, 4]], 西区: [[5, 6]] };
const record = { v: rows, g: { 東灘区: [100, 7], 灘区: ['X', null], 西区: [] } };
const component = { unit: '人', opts: { lines: [{ g: 0, label: '平均' }, { y: 5 }], notes: [{ g: 1, x: '2025-07' }] } };

test('lines and notes stand at the figures of the choice', () => {
  const { opts } = atLevels(component, record, rows.東灘区);
  assert.deepEqual(opts.lines, [{ label: '平均', y: 100 }, { y: 5 }]);
  assert.deepEqual(opts.notes, [{ x: '2025-07', y: 7 }]);
});

test('a hidden or absent figure has no line, fixed ones stay', () => {
  const { opts } = atLevels(component, record, rows.灘区);
  assert.deepEqual(opts, { lines: [{ y: 5 }], notes: [] });
});

test('rows of another slice have no figures at all', () => {
  assert.deepEqual(atLevels(component, record, [[1, 2]]).opts, { lines: [{ y: 5 }], notes: [] });
});

test('a chart without such figures is left alone', () => assert.equal(atLevels(component, { v: rows }, rows.灘区), component));

test('a line over shares reads in percent', () => {
  assert.deepEqual(levelFormat({ unit: '人', opts: { total: '計' } }), { unit: '%', digits: 1 });
  assert.equal(levelFormat(component), component);
});

test('the words below a chart say the figure, or why there is none', () => {
  const places = ['0', '1'].map((level) => ({ dataset: { level }, textContent: '' }));
  const root = { querySelectorAll: (kind) => (kind === '[data-level]' ? places : []) };
  const told = (choice) => (tellLevels(root, component, record, rows[choice]), places.map((place) => place.textContent));
  assert.deepEqual(told('東灘区'), ['100人', '7人']);
  assert.deepEqual(told('灘区'), ['秘匿のため描いていません', 'データがないため描いていません']);
});

test('a line that the axis does not reach is not listed below the chart', () => {
  const axis = ['2025-07', '2025-08', '2025-09'];
  assert.deepEqual([{}, { x: '2025-08' }, { x: '2020-10' }, { x: '2024-01', to: '2025-08' }, { x: '2019', to: '2020' }].map((one) => stands(axis, one)), [true, true, false, true, false]);
  const words = [{ dataset: { x: '2020-10' } }, { dataset: {} }];
  tellLevels({ querySelectorAll: (kind) => (kind === '.lounge-guide' ? words : []) }, component, { x: axis, v: rows }, rows.東灘区);
  assert.deepEqual(words.map((one) => one.hidden), [true, false]);
});
