// A headline figure, its change and a small line of how it came about.
import { svg } from './dom.js';
import { figure, SUPPRESSED } from './formats.js';

/** Show the figure for the choices; whether something of it is hidden. */
export function showBigValue(root, component, record, rows, state) {
  const wanted = component.at ? record?.x.indexOf(state[component.at]) : -1;
  const at = wanted >= 0 ? wanted : component.at ? undefined : (record?.x.length ?? 0) - 1;
  const value = rows?.[0]?.[at] ?? null;
  root.querySelector('.lounge-figure').textContent = figure(value, { digits: component.digits, signed: component.signed });
  const unit = root.querySelector('.lounge-unit');
  if (unit) unit.hidden = value === null || value === SUPPRESSED;
  const unitOfChange = /[%％]/.test(component.unit) ? 'ポイント' : component.unit;
  const changes = [...root.querySelectorAll('.lounge-change b')].map((shown, i) => {
    const change = rows?.[i + 1]?.[at] ?? null;
    shown.textContent = figure(change, { unit: unitOfChange, digits: component.digits, signed: true });
    return change;
  });
  if (component.opts.spark) showSpark(root, rows?.[0].map((value, i) => (component.opts.months?.[record.x[i]] ? null : value)), at);
  return [value, ...changes].includes(SUPPRESSED);
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
