// Which flows between areas are drawn: the largest, those of an area that a reader looks at, and published rests.
import { SUPPRESSED } from './formats.js';

/**
 * Flows from the largest down, those that are drawn, and how many are not (small) or cannot be (hidden).
 * `of` is the area whose flows are all drawn; `rest` names the published rows that stand for what is left.
 */
export function chosenFlows(record, rows, { top = 0, rest = '' }, of = '') {
  const all = [];
  let hidden = 0;
  rows.forEach((row, to) =>
    row.forEach((value, from) => {
      if (value === SUPPRESSED) hidden += 1;
      else if (value > 0) all.push({ from: record.x[from], to: record.s[to], value });
    }),
  );
  all.sort((one, other) => other.value - one.value);
  const touches = (flow, name) => name && (flow.from === name || flow.to === name);
  const largest = new Set(all.filter((flow) => !touches(flow, rest)).slice(0, top || all.length));
  const drawn = all.filter((flow) => largest.has(flow) || touches(flow, rest) || touches(flow, of));
  return { drawn, left: all.length - drawn.length, hidden };
}

/** What is not drawn, in words; nothing is gathered that no published row says. */
export function toldFlows({ drawn, left, hidden }) {
  const words = [];
  if (left) words.push(`大きい順に${drawn.length}本を描いています。描いていない流れ ${left}本は表にあります。`);
  if (hidden) words.push(`秘匿のため描いていない流れ ${hidden}本`);
  return words.join('');
}

/** Every area that flows begin or end in. */
export const areasOf = (record) => [...new Set([...(record?.x ?? []), ...(record?.s ?? [])])];
