import assert from 'node:assert/strict';
import { test } from 'node:test';

import { tickText } from '../../../../dashboards/theme/src/ticks.js';
import { evenRange, levelRange } from '../../../../dashboards/theme/src/axes.js';
import { linesOf, piecesOf, placed, sidesOf, turnOf, widthOf } from '../../../../dashboards/theme/src/wording.js';

const told = (ticks, options) => ticks.map(tickText(ticks, options));

test('ticks of a change of 0.24 % are told in plain figures, not in four decimals of ten thousands', () => {
  assert.deepEqual(told([198600, 198700, 198800]), ['198,600', '198,700', '198,800']);
});

test('ten thousands and hundred millions are told where one decimal is enough', () => {
  assert.deepEqual(told([0, 50000, 100000, 150000]), ['0', '5万', '10万', '15万']);
  assert.deepEqual(told([0, 105000, 210000]), ['0', '10.5万', '21.0万']);
  assert.deepEqual(told([0, 500000000, 1000000000]), ['0', '5億', '10億']);
});

test('one axis has one unit', () => {
  assert.deepEqual(told([-10000, -5000, 0, 5000, 10000], { unsigned: true }), ['10,000', '5,000', '0', '5,000', '10,000']);
  assert.deepEqual(told([-20000, 0, 20000]), ['\u22122万', '0', '2万']);
});

test('decimals tell ticks apart and no more', () => {
  assert.deepEqual(told([45.8, 46, 46.2]), ['45.8', '46.0', '46.2']);
  assert.deepEqual(told([0, 0.25, 0.5]), ['0', '0.25', '0.50']);
  assert.deepEqual(told([0.1, 0.2, 0.30000000000000004]), ['0.1', '0.2', '0.3']);
});

test('no two ticks of one axis read alike', () => {
  for (const step of [0.001, 0.5, 2.5, 100, 2500, 1e4, 2.5e4, 1e7, 5e8]) {
    for (const first of [0, -3 * step, 37 * step, 1987 * step]) {
      const ticks = [0, 1, 2, 3, 4].map((i) => first + i * step);
      assert.equal(new Set(told(ticks)).size, 5, JSON.stringify([first, step, told(ticks)]));
    }
  }
});

test('a name is broken between words only', () => {
  const whole = (text) => piecesOf(text).join('');
  for (const text of ['技術・人文知識・国際業務', '定住者・日本人の配偶者等', '15～64歳', '100人以上', 'その他県内・不明', 'ミャンマー', '']) assert.equal(whole(text), text);
  assert.deepEqual(linesOf('技術・人文知識・国際業務', 60, 12), ['技術・', '人文知識・', '国際業務']);
  assert.ok(piecesOf('ミャンマー').length === 1 && piecesOf('65歳以上').every((piece) => !/\d$/.test(piece)));
  assert.ok(piecesOf('15～64歳').length <= 2);
});

test('a word never loses its last letter to the next line', () => {
  for (const name of ['東灘区', '兵庫区', '年齢別', '外国人']) assert.deepEqual(linesOf(name, 24, 11), [name], name);
});

test('turned names stand clear of each other: what lies between their lines is more than a letter', () => {
  for (const room of [60, 30, 18, 14, 8]) {
    const between = room * Math.sin((turnOf(room, 11) * Math.PI) / 180);
    assert.ok(between >= 13 || turnOf(room, 11) === 90, String(room));
  }
  assert.equal(turnOf(200, 11), 40);
});

test('names that have no room even in lines are turned as wholes', () => {
  assert.deepEqual(placed(['灘区', '北区'], 40, 12), { texts: ['灘区', '北区'], turned: false });
  assert.deepEqual(placed(['ミャンマー', '韓国'], 30, 12), { texts: ['ミャンマー', '韓国'], turned: true });
  for (const line of placed(['特定技能・技能実習', '永住者'], 64, 12).texts.flatMap((text) => text.split('\n'))) assert.ok(widthOf(line, 12) <= 64);
});

test('figures that hardly differ stand on an axis of ten even steps', () => {
  assert.deepEqual(levelRange([[49.1, 49.1, 'X']], 1, true), { min: 48.6, max: 49.6, interval: 0.5 });
  assert.deepEqual(levelRange([[700, 701]], 0), { min: 695, max: 707, interval: 2 });
  assert.deepEqual(levelRange([[2, 3]], 0).min, 0);
  assert.deepEqual(levelRange([[-3, -2]], 0), { min: -8, max: 0, interval: 2 });
  assert.deepEqual(levelRange([[1, 100]], 0), {});
});

test('one axis of several charts has few even steps and holds them all', () => {
  assert.deepEqual(evenRange(100, 1600), { min: 0, max: 2000, interval: 500 });
  assert.deepEqual(evenRange(-3000, 3000), { min: -4000, max: 4000, interval: 2000 });
  assert.deepEqual(evenRange(0, 4), { min: 0, max: 4, interval: 1 });
  assert.deepEqual(evenRange(98.5, 101.5), { min: 98, max: 102, interval: 1 });
  for (const [low, high] of [[0, 1], [7, 7], [0, 0], [-0.2, 0.3], [19865, 20272]]) {
    const { min, max, interval } = evenRange(low, high);
    assert.ok(min <= low && max >= high && (max - min) / interval <= 6, JSON.stringify([low, high, min, max, interval]));
  }
});

test('names of points that lie close to each other stand on different sides', () => {
  const points = [
    { name: '北区', across: 28458, up: 49.0 },
    { name: '垂水区', across: 28649, up: 49.0 },
    { name: '長田区', across: 12803, up: 51.5 },
    { name: '西区', across: 31591, up: 46.8 },
  ];
  for (const width of [1200, 300]) {
    const sides = sidesOf(points, width, 140);
    assert.equal(new Set(sides.slice(0, 2)).size, 2);
    assert.equal(sides[2], 'right');
  }
});

test('names along an axis that would touch are turned', () => {
  const ages = ['10〜14歳', '15〜19歳', '20〜24歳'];
  assert.equal(placed(ages, 40, 12).turned, false);
  assert.equal(placed(ages, 24, 12).turned, true);
});
