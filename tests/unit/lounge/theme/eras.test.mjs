import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eraLabel } from '../../../../dashboards/theme/src/eras.js';

test('a year in which an era begins has both names', () => assert.equal(eraLabel('2019'), '平成31年・令和元年'));

test('a month belongs to the era of its last day', () => {
  assert.equal(eraLabel('2019-04'), '平成31年4月');
  assert.equal(eraLabel('2019-05'), '令和元年5月');
});

test('a day belongs to the era that it lies in', () => {
  assert.equal(eraLabel('1989-01-07'), '昭和64年1月7日');
  assert.equal(eraLabel('1989-01-08'), '平成元年1月8日');
});

test('what is no period, or lies before the eras, stays as it is', () => {
  assert.equal(eraLabel('東灘区'), '東灘区');
  assert.equal(eraLabel('1850-01'), '1850-01');
});
