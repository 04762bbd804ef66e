import assert from 'node:assert/strict';
import { test } from 'node:test';

import { citation } from '../../../../dashboards/theme/src/citing.js';
import { contentOf, nameOf } from '../../../../dashboards/theme/src/content.js';

const view = {
  component: { title: '人口/世帯', heads: ['年月', '人口'], opts: { periods: true } },
  record: { x: ['2024-01', '2025-12'], s: [''] },
  rows: [[12, 'X']],
  choices: ['東灘区'],
};

test('a figure is a table whose numbers stay numbers, with 「X」 and gaps', () => {
  assert.deepEqual(contentOf(view), { heads: ['年月', '人口'], lines: [['2024年1月', 12], ['2025年12月', 'X']] });
  const listed = { component: { columns: [{ head: '区' }, { head: '人' }], opts: {} }, rows: [['灘区', null]], choices: [] };
  assert.deepEqual(contentOf(listed), { heads: ['区', '人'], lines: [['灘区', null]] });
});

test('months that a year covers are a column of their own', () => {
  assert.deepEqual(contentOf({ ...view, covered: '2025年（7〜12月）' }).heads, ['年月', '人口', '期間']);
});

test('a file is named by title, area and range', () => {
  assert.equal(nameOf(view, 'xlsx'), '人口_世帯_東灘区_2024年1月-2025年12月.xlsx');
  assert.equal(nameOf({ ...view, component: { ...view.component, opts: {} } }, 'csv'), '人口_世帯_東灘区.csv');
});

test('a citation leaves out what is not known', () => {
  assert.equal(citation({ site: '神戸市データラウンジ', source: '', latest: '', updated: '' }, '人口'), '神戸市データラウンジ「人口」');
  const told = { site: 'S', source: '住民基本台帳', latest: '2025年12月', updated: '2026年1月5日', edition: '第7版', isSynthetic: true };
  assert.equal(citation(told, '人口', ['灘区']), '【合成データ】S「人口」（灘区）、出典：住民基本台帳、最新のデータ：2025年12月、2026年1月5日更新（第7版）');
});
