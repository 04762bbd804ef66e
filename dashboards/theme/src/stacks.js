// Stacks whose parts may be hidden, and stacks of shares. No total is worked out here: the whole is a published figure.
import { SUPPRESSED } from './formats.js';

const APART = 14; // pixels from one 「X」 to the next at least

/**
 * What a chart draws: names and rows of its series, and the places along x whose stack has a hidden part.
 * A stack of areas or shares with a hidden part is not drawn at all; of bars, its published parts are (marked and pale).
 */
export function stacked(component, record, rows) {
  const { stacked: piled, total } = component.opts;
  if (!piled) return { names: record.s, rows, hidden: [] };
  const parts = rows.filter((_, i) => !total || record.s[i] !== total);
  const names = record.s.filter((name) => name !== total);
  const hidden = record.x.map((_, at) => at).filter((at) => rows.some((row) => row[at] === SUPPRESSED));
  if (total) return { names, rows: shares(parts, rows[record.s.indexOf(total)]), hidden };
  if (component.kind !== 'AreaChart') return { names, rows: parts, hidden };
  const gaps = new Set(hidden);
  return { names, rows: parts.map((row) => row.map((value, at) => (gaps.has(at) ? null : value))), hidden };
}

/** Each part in percent of the published total, where that and every part are published; nothing elsewhere. */
export function shares(parts, total) {
  const whole = (at) => typeof total?.[at] === 'number' && total[at] > 0 && parts.every((row) => typeof row[at] === 'number');
  return parts.map((row) => row.map((value, at) => (whole(at) ? (value / total[at]) * 100 : null)));
}

/** Of the places, those whose 「X」 has room along an axis of `length` pixels and `count` places. */
export function roomy(places, count, length) {
  const chosen = [];
  for (const at of places) if (!chosen.length || ((at - chosen.at(-1)) * length) / count >= APART) chosen.push(at);
  return chosen;
}

/** Whether a figure of a line has no figure before or after it, so that no line leads to it: a mark alone shows it. */
export const lone = (row, at) => typeof row[at] === 'number' && typeof row[at - 1] !== 'number' && typeof row[at + 1] !== 'number';
