// A headline figure, its change and a small line of how it came about.
import { element, svg } from './dom.js';
import { figure, SUPPRESSED } from './formats.js';

/** Show the figure for the choices; whether something of it is hidden. */
export function showBigValue(root, component, record, rows, state) {
  const at = placeOf(component, record, state);
  const value = valueAt(component, record, rows, state);
  root.querySelector('.lounge-figure').textContent = figure(value, { digits: component.digits, signed: component.signed });
  const unit = root.querySelector('.lounge-unit');
  if (unit) unit.hidden = value === null || value === SUPPRESSED;
  const unitOfChange = /[%％]/.test(component.unit) ? 'ポイント' : component.unit;
  const changes = [...root.querySelectorAll('.lounge-change b')].map((shown, i) => {
    const change = rows?.[i + 1]?.[at] ?? null;
    shown.textContent = figure(change, { unit: unitOfChange, digits: component.digits, signed: true });
    return change;
  });
  if (component.opts.gauge) showGauge(root.querySelector('.lounge-gauge'), value, changes.at(-1));
  if (component.opts.spark) showSpark(root, rows?.[0].map((value, i) => (component.opts.months?.[record.x[i]] ? null : value)), at);
  return [value, ...changes].includes(SUPPRESSED);
}

/** The figures of the areas beside; whether one of them is hidden. */
export function showBeside(root, component, [, ...others]) {
  root.querySelector('.lounge-beside')?.remove();
  if (!others.length) return false;
  const values = others.map(({ record, rows, state }) => valueAt(component, record, rows, state));
  const lines = others.map(({ label }, i) => element('li', {}, element('span', {}, label), ' ', element('b', {}, figure(values[i], component))));
  root.querySelector('.lounge-big').after(element('ul', { class: 'lounge-beside' }, ...lines));
  return values.includes(SUPPRESSED);
}

function valueAt(component, record, rows, state) {
  return rows?.[0]?.[placeOf(component, record, state)] ?? null;
}

/** The place of the chosen period along x, or of the last one. */
function placeOf(component, record, state) {
  const wanted = component.at ? record?.x.indexOf(state[component.at]) : -1;
  return wanted >= 0 ? wanted : component.at ? undefined : (record?.x.length ?? 0) - 1;
}

/** How much is reached of what the figure is held against: the figure less its difference. */
function showGauge(place, value, missing) {
  const whole = typeof value === 'number' && typeof missing === 'number' ? value - missing : 0;
  const share = whole > 0 ? Math.round((100 * value) / whole) : null;
  place.querySelector('.lounge-gauge__bar rect').setAttribute('width', Math.min(share ?? 0, 100));
  place.querySelector('b').textContent = share === null ? '' : `${share}%`;
}

function showSpark(root, values, at) {
  const place = root.querySelector('.lounge-spark');
  place.replaceChildren(...spark(values ?? [], at, widthOf(place)));
}

/** Measured once for a window's width: to measure is to lay the page out. */
const widths = new Map();
addEventListener('resize', () => widths.clear());

function widthOf(place) {
  const width = widths.get(place) ?? place.clientWidth;
  if (width) widths.set(place, width);
  return width || 120;
}

/** A line with gaps where figures are suppressed or absent, and a dot at the chosen period. */
function spark(values, at, width) {
  const known = values.filter((value) => typeof value === 'number');
  if (known.length < 2) return [];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (i) => 4 + (i / (values.length - 1)) * (width - 8);
  const y = (value) => 26 - ((value - low) / (high - low || 1)) * 20;
  let path = '';
  let pen = 'M';
  values.forEach((value, i) => {
    if (typeof value === 'number') {
      path += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = 'L';
    } else pen = 'M';
  });
  const parts = [svg('path', { d: path, class: 'lounge-spark__line' })];
  if (typeof values[at] === 'number') parts.push(svg('circle', { cx: x(at), cy: y(values[at]), r: 3, class: 'lounge-spark__dot' }));
  return [svg('svg', { viewBox: `0 0 ${width} 32` }, ...parts)];
}
