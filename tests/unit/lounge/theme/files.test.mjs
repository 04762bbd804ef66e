import assert from 'node:assert/strict';
import { test } from 'node:test';

import { apart, sheetName, sheetOf } from '../../../../dashboards/theme/src/workbook.js';

test('「X」 stands in a column beside the numbers, which are numbers alone', () => {
  const { heads, lines } = apart({ heads: ['区', '男', '女'], lines: [['灘区', 12, 'X'], ['北区', 3, null]] });
  assert.deepEqual(heads, ['区', '男', '女', '女（秘匿）']);
  assert.deepEqual(lines, [['灘区', 12, null, 'X'], ['北区', 3, null, null]]);
});

test('no text is computed, whatever it begins with', () => {
  const component = { title: '=1+1', columns: [{ head: '@a' }], opts: {} };
  const sheet = sheetOf({ component, rows: [['=HYPERLINK("x")'], ['+1'], ['-1'], ['@x']], choices: [] }, { site: 'S', page: 'P' }, 'http://x/');
  for (const cell of sheet.data.flat().filter(Boolean)) assert.equal(cell.type, String);
});

test('sheets have names that Excel takes, each its own', () => {
  const taken = new Set();
  assert.equal(sheetName("'a/b:c'", taken), 'a／b／c');
  assert.equal(sheetName('A／B／C', taken), 'A／B／C（2）');
  assert.equal(sheetName('長'.repeat(40), taken).length, 31);
  assert.equal(sheetName('長'.repeat(41), taken), `${'長'.repeat(27)}（2）`);
});
