// How figures and periods read; the same rules as kobe_platform/lounge/formats.py.
export const SUPPRESSED = 'X';
export const ABSENT = '…';

/** A figure as text: 1,234人, X, … ; minus is U+2212. */
export function figure(value, { unit = '', digits = 0, signed = false } = {}) {
  if (value === null || value === undefined) return ABSENT;
  if (typeof value === 'string') return value;
  const text = Math.abs(value).toFixed(digits).replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ',');
  const isZero = !/[1-9]/.test(text);
  let sign = '';
  if (isZero) sign = signed ? '±' : '';
  else if (value < 0) sign = '\u2212';
  else if (signed) sign = '+';
  return `${sign}${text}${unit}`;
}

/** 2025-07 → 2025年7月; other texts as they are. */
export function periodLabel(code) {
  const match = /^(\d{4})(?:-(\d{2}))?$/.exec(code);
  if (!match) return code;
  return match[2] ? `${match[1]}年${Number(match[2])}月` : `${match[1]}年`;
}
