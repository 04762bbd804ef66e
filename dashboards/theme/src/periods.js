// Places of an axis as readers see them: periods of the common calendar or, where the page asks for it, in eras.
import { eraLabel } from './eras.js';
import { periodLabel } from './formats.js';

/** A place in full, in the tooltip and the table: 2025年7月 or 令和7年7月. */
export const placeLabel = (code, opts = {}) => withMonths(code, opts.era ? eraLabel(code) : periodLabel(code), opts);

/** A text that stands for a period, with the months that it covers where some lack: 2025年（7〜12月）. */
export const withMonths = (code, text, { months } = {}) => (months?.[code] ? `${text}（${months[code]}）` : text);

/** The year that a month stands in: 2025年 or 令和7年. */
export const yearOfMonth = (code, opts) => placeLabel(code, opts).replace(/\d+月$/, '');

/** Axis text of a period: the year only where it begins, or where the axis or an era does. */
export function shortPeriod(code, index, opts = {}) {
  const match = /^(\d{4})-(\d{2})$/.exec(code);
  if (!match) return withMonths(code, placeLabel(code, { era: opts.era }).replace('・', '\n'), opts).replace('（', '\n（');
  const month = `${Number(match[2])}月`;
  const year = yearOfMonth(code, opts);
  const begins = index === 0 || match[2] === '01' || (opts.era && year !== yearOfMonth(monthBefore(code), opts));
  return begins ? `${month}\n${year}` : month;
}

function monthBefore(code) {
  const [year, month] = code.split('-').map(Number);
  return month === 1 ? `${year - 1}-12` : `${year}-${String(month - 1).padStart(2, '0')}`;
}
