// What a figure shows at this moment, as a table of texts, numbers and 「X」: every file that is taken away begins here.
import { eraLabel } from './eras.js';
import { SUPPRESSED } from './formats.js';
import { placeLabel, withMonths } from './periods.js';

/** Heads and lines; a line holds texts, numbers, 「X」 (hidden) and null (absent). */
export function contentOf({ component, record, rows, flat: table, covered }) {
  const { heads, lines } = component.columns ? listed(component, table?.rows() ?? rows) : crossed(component, record, rows);
  if (covered) [heads, ...lines].forEach((line, i) => line.push(i ? covered : '期間'));
  return { heads, lines };
}

function listed({ columns, opts }, rows) {
  const text = (value, { era }) => (typeof value === 'string' ? withMonths(value, era ? eraLabel(value) : value, opts) : value);
  return { heads: columns.map(({ head }) => head), lines: rows.map((row) => row.map((value, at) => text(value, columns[at]))) };
}

function crossed({ heads, opts }, record, rows) {
  const alone = record.s.length === 1 && record.s[0] === '';
  return {
    heads: [heads[0], ...(alone ? [heads[1]] : record.s)],
    lines: record.x.map((x, at) => [placeLabel(x, opts), ...rows.map((row) => row[at])]),
  };
}

export const hasHidden = ({ lines }) => lines.some((line) => line.includes(SUPPRESSED));

/** The figure's title, the choices that it belongs to and the periods from first to last, as a file's name tells them. */
export function nameOf({ component, choices, record }, kind) {
  const words = [component.title || 'データ', ...choices, spanOf(component, record)].filter(Boolean);
  return `${fileName(words)}.${kind}`;
}

export const fileName = (words) => words.join('_').replaceAll('〜', '-').replace(/[^\p{L}\p{N}-]+/gu, '_').replace(/_$/, '');

/** 2024年1月-2025年12月; empty where x is no series of periods. */
export function spanOf({ opts }, record) {
  const x = opts?.periods ? (record?.x ?? []) : [];
  return x.length > 1 ? [x[0], x.at(-1)].map((code) => placeLabel(code, { era: opts.era })).join('-') : '';
}
