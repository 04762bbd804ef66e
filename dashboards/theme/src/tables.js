// The table under each chart, for the choices of the moment; the first one came ready with the page.
import { element } from './dom.js';
import { figure, SUPPRESSED } from './formats.js';
import { placeLabel } from './periods.js';

export const EMPTY = 'この条件のデータはありません。';

/** One cell: 「X」 explained, text as it is, figures without their unit. */
export function cell(value, component, extra = '') {
  if (value === SUPPRESSED) return element('td', { class: `is-x ${extra}`.trim() }, element('abbr', { title: '秘匿' }, 'X'));
  if (typeof value === 'string') return element('td', {}, value);
  return element('td', { class: `is-number ${extra}`.trim() }, figure(value, { digits: component.digits, signed: component.signed }));
}

/** The title stands above the figure already: here screen readers alone are told it. */
function caption(component) {
  return element('caption', {}, element('span', { class: 'lounge-unseen' }, component.title), component.unit ? `（単位：${component.unit}）` : null);
}

/** Replace a component's matrix table. */
export function showMatrix(root, component, record, rows) {
  const place = root.querySelector('.lounge-scroll');
  if (!rows) {
    place.replaceChildren(element('p', { class: 'lounge-empty' }, EMPTY));
    return;
  }
  const alone = record.s.length === 1 && record.s[0] === '';
  const heads = [component.heads[0], ...(alone ? [component.heads[1]] : record.s)];
  const shade = component.kind === 'Heatmap' ? shades(rows) : () => '';
  const body = record.x.map((x, i) =>
    element('tr', {}, element('th', { scope: 'row' }, placeLabel(x, component.opts)), ...rows.map((row, at) => cell(row[i], component.formats?.[at] ?? component, shade(row[i])))),
  );
  place.replaceChildren(
    element(
      'table',
      {},
      caption(component),
      element('thead', {}, element('tr', {}, ...heads.map((text) => element('th', { scope: 'col' }, text)))),
      element('tbody', {}, ...body),
    ),
  );
}

/** Seven steps of one hue over the largest figure of the matrix, as formats on the server side do it. */
function shades(rows) {
  const largest = Math.max(0, ...rows.flat().filter((value) => typeof value === 'number'));
  return (value) => (typeof value === 'number' && value > 0 ? `lounge-h${Math.ceil((value / largest) * 7)}` : '');
}

export function hasSuppressed(rows) {
  return Boolean(rows?.some((row) => row.includes(SUPPRESSED)));
}
