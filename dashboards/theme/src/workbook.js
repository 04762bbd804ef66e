// A workbook of what is shown: one sheet a figure, numbers as numbers, 「X」 in a column beside them. Loaded on demand.
import writeExcel from 'write-excel-file/browser';
import { citation, ruleOf } from './citing.js';
import { contentOf, hasHidden } from './content.js';
import { SUPPRESSED } from './formats.js';
import './shared.js';

const LONGEST_NAME = 31; // characters of a sheet's name that Excel takes
const TEXT = (value, more) => ({ value, type: String, ...more });

/** A workbook with a sheet for each view. */
export function workbookOf(views, told, address) {
  const names = new Set();
  return writeExcel(views.map((view) => sheetOf(view, told, address, names))).toBlob();
}

/** A figure as a sheet: what it is, then heads and lines. `names` are those that other sheets have. */
export function sheetOf(view, told, address, names = new Set()) {
  const content = contentOf(view);
  const { heads, lines } = apart(content);
  const { title, unit } = view.component;
  const head = [
    [title || 'データ', { fontWeight: 'bold', fontSize: 14 }],
    ...(told.isSynthetic ? [['合成データ：実在の市町村の統計ではありません。']] : []),
    ...(view.choices.length ? [[`選んだ条件：${view.choices.join('、')}`]] : []),
    ...(unit ? [[`単位：${unit}`]] : []),
    [citation(told, title || told.page, view.choices)],
    [`画面のURL：${address}`],
    ...(hasHidden(content) ? [[`${ruleOf(told)} 数の列では空白とし、右隣の「秘匿」の列に「X」と書いています。`]] : []),
  ];
  const table = lines.map((line) => line.map((value) => cellOf(value, view.component)));
  return {
    sheet: sheetName(title || 'データ', names),
    data: [...head.map(([text, look]) => [TEXT(text, look)]), [], heads.map((text) => TEXT(text, { fontWeight: 'bold' })), ...table],
    columns: heads.map((_, at) => ({ width: at ? 14 : 24 })),
  };
}

/** Texts stay texts, whatever they begin with: nothing in a file of ours is computed. */
function cellOf(value, { digits = 0 }) {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'number') return TEXT(String(value));
  return { value, type: Number, format: Number.isInteger(value) || !digits ? '#,##0.########' : `#,##0.${'0'.repeat(digits)}` };
}

/** Columns of numbers with 「X」 apart: the number's column holds numbers alone, the one to its right the 「X」. */
export function apart({ heads, lines }) {
  const isSplit = heads.map((_, at) => lines.some((line) => line[at] === SUPPRESSED));
  const split = (line, first, second) => line.flatMap((value, at) => (isSplit[at] ? [first(value), second(value)] : [value]));
  return {
    heads: split(heads, (text) => text, (text) => `${text}（秘匿）`),
    lines: lines.map((line) => split(line, (value) => (value === SUPPRESSED ? null : value), (value) => (value === SUPPRESSED ? 'X' : null))),
  };
}

/** A name that Excel takes and no other sheet has. */
export function sheetName(title, taken) {
  const plain = title.replace(/[\\/*?:[\]]/g, '／').replace(/^'+|'+$/g, '').slice(0, LONGEST_NAME) || 'データ';
  let name = plain;
  for (let n = 2; taken.has(name.toLowerCase()); n += 1) name = `${plain.slice(0, LONGEST_NAME - 4)}（${n}）`;
  taken.add(name.toLowerCase());
  return name;
}
