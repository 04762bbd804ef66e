// The same figures and periods read the same in the browser and in the pages that the platform writes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { eraLabel } from '../../../../dashboards/theme/src/eras.js';
import { figure, periodLabel } from '../../../../dashboards/theme/src/formats.js';

const { figures, periods, eras } = JSON.parse(readFileSync(process.env.KOBE_THEME_CASES, 'utf8'));

test('a figure reads as the platform writes it', () => {
  assert.ok(figures.length > 50);
  for (const [value, format, text] of figures) assert.equal(figure(value, format), text, JSON.stringify([value, format]));
});

test('a period reads as the platform writes it', () => {
  for (const [code, text] of periods) assert.equal(periodLabel(code), text, code);
});

test('a period in eras reads as the platform writes it', () => {
  for (const [code, text] of eras) assert.equal(eraLabel(code), text, code);
});
