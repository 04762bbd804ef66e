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

/** The same in words below the chart. */
export function tellLevels(root, component, record, rows) {
  const found = levels(record, rows);
  for (const place of root.querySelectorAll('[data-level]')) {
    const value = found[Number(place.dataset.level)];
    if (typeof value === 'number') place.textContent = figure(value, levelFormat(component));
    else place.textContent = value === SUPPRESSED ? '秘匿のため描いていません' : 'データがないため描いていません';
  }
}
