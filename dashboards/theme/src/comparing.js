// What a chart shows of its matrices: areas side by side, small multiples, a range of periods, other ways to read them.
// Every figure comes from published ones beside it, and one that a hidden figure goes into is 「X」 itself.
import { atLevels } from './levels.js';
import { SUPPRESSED } from './formats.js';
import { placeLabel } from './periods.js';

export const APART = '\u001f'; // between the panel and the series in a name, as slices.py writes it

/**
 * Component, record and rows as they are drawn, tabled and taken away; `panels` where several charts stand side by side.
 * `parts` are the matrices of the choices (label, record, rows), the reader's own first.
 */
export function shownOf(component, parts, { range, view } = {}) {
  let panels = parts.flatMap((part) => split(component, part, parts.length > 1));
  if (panels.length > 1 && merges(panels)) panels = [merged(panels)];
  panels = panels.map((panel) => (panel.rows ? read(panel, range, view) : panel));
  if (panels.length === 1) return panels[0];
  return { component: panels[0].component, ...joined(panels), panels };
}

/** The small multiples of a matrix, or itself; its lines and notes at the figures of its own choice. */
function split(asked, part, several) {
  const { label, record, rows } = several && part.rows ? { ...part, ...unmarked(asked, part) } : part;
  const component = rows ? atLevels(asked, record, rows) : asked;
  if (!component.opts?.facet || !rows) return [{ label, component, record, rows }];
  const names = record.s.map((name) => name.split(APART));
  return [...new Set(names.map(([panel]) => panel))].map((panel) => {
    const own = names.flatMap(([first], at) => (first === panel ? [at] : []));
    return {
      label: several ? `${label} ${panel}` : panel,
      component,
      record: { x: record.x, s: own.map((at) => names[at][1] ?? '') },
      rows: own.map((at) => rows[at]),
    };
  });
}

/** Single lines or bars of several areas fit into one chart; everything else stands side by side. */
function merges(panels) {
  return panels.every(({ component: { kind, opts }, record, rows }) => (kind === 'LineChart' || (kind === 'BarChart' && !opts.stacked)) && !opts.facet && (!rows || record.s.length === 1));
}

function merged(panels) {
  const { component } = panels[0];
  const x = placesOf(component, panels);
  const lines = (component.opts.lines ?? []).filter(({ y }) => y === undefined || panels.every((one) => one.component === component));
  return {
    component: { ...component, opts: { ...component.opts, lines } },
    record: { x, s: panels.map(({ label }) => label) },
    rows: panels.map((panel) => aligned(panel, x, 0)),
  };
}

/** One table of all panels. */
function joined(panels) {
  const x = placesOf(panels[0].component, panels);
  const own = panels.filter(({ rows }) => rows);
  return {
    record: { x, s: own.flatMap(({ label, record }) => record.s.map((name) => `${label} ${name}`.trim())) },
    rows: own.length ? own.flatMap((panel) => panel.rows.map((_, at) => aligned(panel, x, at))) : undefined,
  };
}

/** Places of all panels in the order of the first one; periods in that of time. */
function placesOf(component, panels) {
  const all = [...new Set(panels.flatMap(({ record, rows }) => (rows ? record.x : [])))];
  return component.opts?.periods ? all.sort() : all;
}

function aligned({ record, rows }, x, at) {
  return x.map((place) => rows?.[at][record.x.indexOf(place)] ?? null);
}

/** A panel in the range of periods, read in the way that is asked for. */
function read(asked, range, view) {
  const panel = { ...asked, ...(view && asked.component.opts?.marked ? unmarked(asked.component, asked) : {}) };
  const changed = view === 'year' ? sinceLastYear(panel) : panel;
  const within = marking(cut(changed, range));
  if (view === 'index') return indexed(within);
  return view === 'rank' ? ranked(within) : within;
}

/** Record and rows without the series that only mark places on others; with `kept`, without some of them. */
function unmarked({ opts }, { record, rows }, kept = () => false) {
  const left = record.s.flatMap((name, at) => (opts?.marked?.includes(name) && !kept(rows[at]) ? [] : [at]));
  return { record: { ...record, s: left.map((at) => record.s[at]) }, rows: left.map((at) => rows[at]) };
}

/** A panel without marks that mark nothing in it. */
const marking = (panel) => (panel.component.opts?.marked ? { ...panel, ...unmarked(panel.component, panel, (row) => row.some((value) => typeof value === 'number')) } : panel);

function cut(panel, range) {
  const { component, record, rows } = panel;
  if (!range || !component.opts?.periods) return panel;
  const [from, to] = range;
  const kept = record.x.flatMap((code, at) => (code >= from.slice(0, code.length) && code <= to.slice(0, code.length) ? [at] : []));
  return kept.length === record.x.length ? panel : { ...panel, ...taken(record, rows, kept) };
}

const taken = (record, rows, kept) => ({ record: { x: kept.map((at) => record.x[at]), s: record.s }, rows: rows.map((row) => kept.map((at) => row[at])) });

/** A format of its own; lines and notes that stand at a figure do not belong to it. */
function reading(component, form, told) {
  const upright = (all = []) => all.filter(({ y }) => y === undefined);
  return { ...component, ...form, told, opts: { ...component.opts, lines: upright(component.opts.lines), notes: upright(component.opts.notes), zero: false } };
}

/** Each line over its figure at the first place shown, times 100. */
export function indexed({ component, record, rows, ...rest }) {
  const first = record.x.length ? placeLabel(record.x[0], component.opts) : '';
  return {
    ...rest,
    component: reading(component, { unit: '', digits: 1, signed: false }, `指数（${first}＝100）`),
    record: { x: record.x, s: record.s },
    rows: rows.map((row) => row.map((value) => of(value, row[0], (one, base) => (one / base) * 100))),
  };
}

/** Each figure's change on that of the year before, in percent; none between years of different months. */
export function sinceLastYear({ component, record, rows, ...rest }) {
  const before = record.x.map((code) => record.x.indexOf(`${Number(code.slice(0, 4)) - 1}${code.slice(4)}`));
  const alike = (at) => before[at] >= 0 && component.opts.months?.[record.x[at]] === component.opts.months?.[record.x[before[at]]];
  return {
    ...rest,
    component: reading(component, { unit: '%', digits: 1, signed: true }, record.x[0]?.length === 7 ? '前年同月からの増減率' : '前年からの増減率'),
    record: { x: record.x, s: record.s },
    rows: rows.map((row) => row.map((value, at) => (alike(at) ? of(value, row[before[at]], (now, then) => (now / then - 1) * 100) : null))),
  };
}

/** A figure of two published ones; 「X」 where either is hidden, nothing where either lacks or the second is zero. */
function of(one, other, ratio) {
  if (one === SUPPRESSED || other === SUPPRESSED) return SUPPRESSED;
  return typeof one === 'number' && typeof other === 'number' && other > 0 ? ratio(one, other) : null;
}

/** Places from the largest figure down; hidden ones follow in the order of the page, which tells nothing of their size. */
export function ranked(panel) {
  const { component, record, rows } = panel;
  const size = (at) => (typeof rows[0][at] === 'number' ? rows[0][at] : rows[0][at] === SUPPRESSED ? -Infinity : undefined);
  const order = record.x.map((_, at) => at).sort((a, b) => (size(a) === undefined) - (size(b) === undefined) || Number(size(b) > size(a)) - Number(size(b) < size(a)) || a - b);
  return { ...panel, component: { ...component, told: '大きい順' }, ...taken(record, rows, order) };
}
