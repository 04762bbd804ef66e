import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ABSENT, figure } from '../../../../dashboards/theme/src/formats.js';

test('what is hidden or absent is never a number', () => {
  assert.equal(figure('X', { unit: '人' }), 'X');
  assert.equal(figure(null, { unit: '人' }), ABSENT);
  assert.equal(figure(undefined), ABSENT);
});

test('thousands are parted before the decimal point only', () => {
  assert.equal(figure(1234567.1234, { digits: 4 }), '1,234,567.1234');
});

test('what rounds to nothing has no minus', () => {
  assert.equal(figure(-0.04, { digits: 1 }), '0.0');
  assert.equal(figure(-0.04, { digits: 1, signed: true }), '±0.0');
});
