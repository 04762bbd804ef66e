import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { keyOf, rowsOf, Slices } from '../../../../dashboards/theme/src/slices.js';

const spec = { data: 'data/', slices: { '': { '': 'all.json' }, ward: { 東灘区: 'one.json', 灘区: 'two.json' } } };
const original = globalThis.fetch;
afterEach(() => { globalThis.fetch = original; });

function serve(files) {
  const asked = [];
  globalThis.fetch = async (address) => {
    asked.push(address);
    return { ok: address in files, status: address in files ? 200 : 404, json: async () => files[address] };
  };
  return asked;
}

test('only the files of the choices are loaded, each once', async () => {
  const asked = serve({ 'data/all.json': { c1: 1 }, 'data/one.json': { c2: 2 }, 'data/two.json': { c2: 3 } });
  const slices = new Slices(spec);
  assert.deepEqual(await slices.load({ ward: '東灘区' }), { c1: 1, c2: 2 });
  assert.deepEqual(await slices.load({ ward: '灘区' }), { c1: 1, c2: 3 });
  assert.deepEqual(await slices.load({ ward: '東灘区' }), { c1: 1, c2: 2 });
  assert.deepEqual(asked, ['data/all.json', 'data/one.json', 'data/two.json']);
});

test('a choice that has no file leaves its components without data', async () => {
  serve({ 'data/all.json': { c1: 1 } });
  assert.deepEqual(await new Slices(spec).load({ ward: '北区' }), { c1: 1 });
});

test('a load that failed is tried again', async () => {
  const slices = new Slices(spec);
  serve({});
  await assert.rejects(slices.load({ ward: '灘区' }));
  serve({ 'data/all.json': { c1: 1 }, 'data/two.json': { c2: 3 } });
  assert.deepEqual(await slices.load({ ward: '灘区' }), { c1: 1, c2: 3 });
});

test('rows are looked up by the choices beside the slicing one', () => {
  const component = { keys: ['sex', 'age'] };
  assert.equal(keyOf(component, { sex: '男', age: '計', ward: '灘区' }), '男|計');
  assert.deepEqual(rowsOf(component, { v: { '男|計': [[1]] } }, { sex: '男', age: '計' }), [[1]]);
  assert.equal(rowsOf(component, { v: {} }, { sex: '男', age: '計' }), undefined);
  assert.equal(rowsOf(component, undefined, { sex: '男', age: '計' }), undefined);
});
