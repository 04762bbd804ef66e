import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addressOf, cellOf, find, prepared } from '../../../../dashboards/theme/src/search.js';

const chart = (id, title, kind, key, labels = [], filters = ['area', 'period']) => ({ id, title, kind, key, labels, filters });
const index = prepared({
  terms: [['神戸市', '神戸市\nコウベシ'], ['垂水区', '垂水区\nタルミク'], ['ベトナム', 'ベトナム'], ['65歳以上', '65歳以上'], ['2025年12月', '2025年12月'], ['北', '北\nキタ']],
  lists: [[['28100', 0], ['28108', 1]], [['2025-12', 4]], [['1', 5], ['2', 5]]],
  synonyms: [['高齢化', 'コウレイカ', '65歳以上'], ['移動', '異動']],
  pages: [
    {
      slug: 'ward', title: '区別の人口', key: '区別ノ人口',
      filters: [{ name: 'area', period: false, options: 0 }, { name: 'period', period: true, options: 1 }],
      charts: [chart('c1', '人口', 'BigValue', '人口\nジンコウ'), chart('c2', '国籍別', 'BarChart', '国籍別\nコクセキベツ', [2]), chart('c3', '年齢3区分', 'LineChart', '年齢3区分', [3]), chart('c4', '人口（全市）', 'BigValue', '人口全市', [], [])],
    },
    { slug: 'moves', title: '月別の移動', key: '月別ノ移動', filters: [{ name: 'area', period: false, options: 2 }], charts: [] },
  ],
});
const told = (text) => find(index, text).map((one) => [one.slug, one.choices.map((c) => c.label).join(), one.chart?.id]);

test('an area is found by its name without 区, by its reading, and with what is asked of it', () => {
  for (const text of ['垂水', 'たるみ', 'タルミ', '垂水区', '垂水区 人口', '垂水区人口', 'たるみ　じんこう']) {
    assert.deepEqual(told(text)[0], ['ward', '垂水区', 'c1'], text);
  }
});

test('a page that answers with a figure comes before one that offers more choices and has none', () => {
  const unusual = { slug: 'unusual', title: 'いつもと違う動き', key: '人口', filters: [{ name: 'area', period: false, options: 0 }, { name: 'series', period: false, options: 3 }], charts: [chart('c1', '推移', 'LineChart', '推移', [], ['area', 'series'])] };
  const more = prepared({ ...index, terms: [...index.terms, ['人口', '人口\nジンコウ']], lists: [...index.lists, [['p', 6]]], synonyms: [], pages: [unusual, ...index.pages] });
  assert.deepEqual(find(more, '垂水 人口').map((one) => one.slug), ['ward', 'unusual']);
});

test('a chart that does not listen to the choice is no answer to it', () => {
  assert.deepEqual(told('垂水 全市'), [['ward', '垂水区', undefined]]);
  assert.deepEqual(told('全市'), [['ward', '', 'c4']]);
});

test('a label that a chart shows leads to the chart, alone and with an area', () => {
  assert.deepEqual(told('べとなむ'), [['ward', '', 'c2']]);
  assert.deepEqual(told('ベトナム 垂水'), [['ward', '垂水区', 'c2']]);
});

test('words that mean the same are found, and words of nothing are not', () => {
  assert.deepEqual(told('こうれいか'), [['ward', '', 'c3']]);
  assert.deepEqual(told('異動'), [['moves', '', undefined]]);
  assert.deepEqual(told('垂水 ナイコトバ'), []);
  assert.deepEqual(told('  '), []);
});

test('a result opens its page with the choice: by label, or by code where a label stands for two', () => {
  assert.equal(decodeURIComponent(addressOf(find(index, '垂水')[0])), 'ward.html?area=垂水区#c1');
  assert.deepEqual(find(index, '北').map((one) => decodeURIComponent(addressOf(one))), ['moves.html?area=1', 'moves.html?area=2']);
});

test('one published cell is looked up; what is hidden stays X, and several cells are no answer', () => {
  const headline = { kind: 'BigValue', keys: [], at: 'period', opts: {} };
  const state = { area: '28108', period: '2025-12' };
  assert.deepEqual(cellOf(headline, { x: ['2025-11', '2025-12'], v: { '': [[1, 28468]] } }, state), { value: 28468, period: '2025-12' });
  assert.deepEqual(cellOf(headline, { x: ['2025-12'], v: { '': [['X']] } }, state).value, 'X');
  const bars = { kind: 'BarChart', keys: ['period'], opts: {} };
  const record = { x: ['中国', 'ベトナム'], s: [''], v: { '2025-12': [[5, 'X']] } };
  assert.equal(cellOf(bars, record, state, 'ベトナム').value, 'X');
  assert.equal(cellOf(bars, record, state, undefined), undefined);
  assert.equal(cellOf(bars, { ...record, s: ['男', '女'], v: { '2025-12': [[1, 2], [3, 4]] } }, state, 'ベトナム'), undefined);
  const lines = { kind: 'LineChart', keys: [], opts: { periods: true } };
  assert.deepEqual(cellOf(lines, { x: ['2025-11', '2025-12'], s: ['総数', '65歳以上'], v: { '': [[1, 2], [3, 4]] } }, state, '65歳以上'), { value: 4, period: '2025-12' });
  assert.equal(cellOf(headline, undefined, state), undefined);
  const alone = { x: ['2025-12'], s: ['中国'], v: { '': [[7102]] } };
  assert.equal(cellOf(lines, alone, state, 'ベトナム'), undefined, 'the figure of another series');
  assert.equal(cellOf(lines, alone, state, undefined), undefined, 'one series is no total');
  assert.equal(cellOf(lines, alone, state, '中国').value, 7102);
  const unnamed = { x: ['2025-12'], v: { '': [[9]] } };
  assert.equal(cellOf(lines, unnamed, state, undefined).value, 9);
  assert.equal(cellOf(lines, unnamed, state, 'ベトナム'), undefined);
});
