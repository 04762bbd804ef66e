// Figures of lines and notes that follow the readers' choices: they come with the slice of their chart.
import { figure, SUPPRESSED } from './formats.js';

/** The figures beside the matrix that is shown. */
function levels(record, rows) {
  const key = record?.g && Object.keys(record.v).find((one) => record.v[one] === rows);
  return key === undefined ? [] : record.g[key];
}

/** The component with its lines and notes at their figures of the moment; a hidden or absent one is left out. */
export function atLevels(component, record, rows) {
  const found = record.g && levels(record, rows);
  if (!found) return component;
  const placed = (all = []) => all.flatMap(({ g, ...one }) => (g === undefined ? [one] : typeof found[g] === 'number' ? [{ ...one, y: found[g] }] : []));
  return { ...component, opts: { ...component.opts, lines: placed(component.opts.lines), notes: placed(component.opts.notes) } };
}

/** How a line's figure reads: in percent where shares are drawn. */
export const levelFormat = (component) => (component.opts.total ? { unit: '%', digits: 1 } : component);

/** The same in words below the chart: those that its axis holds. */
export function tellLevels(root, component, record, rows, axis = record?.x ?? []) {
  for (const words of root.querySelectorAll('.lounge-guide')) words.hidden = !stands(axis, words.dataset);
  const found = levels(record, rows);
  for (const place of root.querySelectorAll('[data-level]')) {
    const value = found[Number(place.dataset.level)];
    if (typeof value === 'number') place.textContent = figure(value, levelFormat(component));
    else place.textContent = value === SUPPRESSED ? '秘匿のため描いていません' : 'データがないため描いていません';
  }
}

/** First and last place of a span, cut to the axis; periods of one form sort as their codes do. */
export function span(axis, { x, to }) {
  const periods = /^\d{4}(-\d{2})?$/.test(x);
  const within = (code) => (periods ? code >= x && code <= to : code === x || code === to);
  const inside = axis.flatMap((code, i) => (within(code) ? [i] : []));
  return inside.length > 1 ? [inside[0], inside.at(-1)] : undefined;
}

/** Whether an axis holds a line or note: its place, or two of its span; one without a place stands everywhere. */
export function stands(axis, { x, to }) {
  if (to) return Boolean(span(axis, { x, to }));
  return !x || axis.includes(x);
}
