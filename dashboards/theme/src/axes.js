// The two axes of a chart: places (periods, groups) and figures.
import { placeLabel, shortPeriod, yearOfMonth } from './periods.js';
import { tickText } from './ticks.js';
import { linesOf, placed, turnOf, widthOf } from './wording.js';

const GAP = 5; // pixels between names along an axis
const YEARLY_LABELS = 30; // months of a series from which on its axis names years only

/** Above an axis that zero is not on: there a small change looks large. */
const CUT_WORDS = '〜 0から始まらない目盛り';
const CUT = (look) => ({ name: CUT_WORDS, nameGap: 6, nameTextStyle: { align: 'left', color: look.axis, fontSize: 11 } });

/** Draw an option, on the screen and for saved pictures alike: its axis of figures reads as its ticks ask, and says where zero is not on it. */
export function draw(chart, option, look, shared) {
  const asked = { ...option };
  for (const axis of VALUES) if (asked[axis]) asked[axis] = telling(chart, axis, asked[axis], { shared, unsigned: option.bothWays, look });
  chart.setOption(asked, true);
  const { cut, isNamed, ...found } = cutOf(chart, asked);
  wereCut.set(chart, cut);
  if (cut !== isNamed && found.axis) chart.setOption({ [found.axis]: cut ? CUT(look) : { name: '' } });
}

const VALUES = ['yAxis', 'xAxis'];
const wereCut = new WeakMap(); // chart → whether its axis was cut the last time: to be right at once saves a second drawing

/** An axis whose ticks are told by all of them, as they stand when a label is made. */
function telling(chart, name, axis, { shared, unsigned, look }) {
  if (axis.type !== 'value') return axis;
  const range = shared?.axis === name ? shared.range : {};
  if (typeof axis.axisLabel?.formatter === 'string') return { ...axis, ...range };
  const cut = name === 'yAxis' && !axis.name && (wereCut.get(chart) ?? axis.scale) ? CUT(look) : {};
  return { ...axis, ...range, ...cut, axisLabel: { ...axis.axisLabel, formatter: (value) => textOf(ticksOf(chart, name), unsigned)(value) } };
}

const ticksOf = (chart, name) => chart.getModel().getComponent(name, 0).axis.scale.getTicks().map(({ value }) => value);

/** The words of ticks, worked out once for all labels of an axis. */
function textOf(ticks, unsigned) {
  const key = `${unsigned} ${ticks}`;
  if (texts.key !== key) texts = { key, tell: tickText(ticks, { unsigned }) };
  return texts.tell;
}
let texts = {};

/** Whether the upright axis of figures is cut as drawn, and whether it says so. */
function cutOf(chart, asked) {
  const upright = measured(chart).find(({ axis, percent }) => axis === 'yAxis' && !percent);
  const isNamed = asked.yAxis?.name === CUT_WORDS;
  if (!upright || (upright.named && !isNamed)) return { cut: false, isNamed };
  return { axis: 'yAxis', cut: upright.low > 0 || upright.high < 0, isNamed };
}

/** The axes of figures as they were drawn: one, two of points, none of flows. */
function measured(chart) {
  return ['yAxis', 'xAxis'].flatMap((axis) => {
    const model = chart.getModel().getComponent(axis, 0);
    if (model?.axis?.type !== 'value') return [];
    const [low, high] = model.axis.scale.getExtent();
    const ticks = model.axis.scale.getTicks().map(({ value }) => value);
    return [{ axis, low, high, ticks, named: Boolean(model.get('name')), percent: typeof model.get('axisLabel.formatter') === 'string' }];
  });
}

/** One axis for charts side by side: over the ends of all of them. */
export function sharedAxis(charts) {
  const found = charts.flatMap((chart) => measured(chart).slice(0, 1)).filter(({ percent }) => !percent);
  if (found.length < 2) return undefined;
  return { axis: found[0].axis, range: evenRange(Math.min(...found.map(({ low }) => low)), Math.max(...found.map(({ high }) => high))) };
}

/** Ends and step of an axis over a range: about four even steps, a tick at either end. */
export function evenRange(low, high) {
  const raw = (high - low || Math.abs(high) || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const interval = [1, 2, 5, 10].find((factor) => factor * power >= raw - 1e-9) * power;
  const ends = (value, way) => Number((way(value / interval) * interval).toFixed(9));
  return { min: ends(low, (x) => Math.floor(x + 1e-9)), max: ends(high, (x) => Math.ceil(x - 1e-9)), interval };
}

/** The axis of places. */
export function category(component, record, scene, upright) {
  const { look, narrow, width } = scene;
  const periods = component.opts.periods;
  const size = narrow ? 11 : 12;
  const label = { color: look.ink, fontSize: size, lineHeight: size + 4, margin: 10, hideOverlap: true };
  if (periods) label.formatter = periodText(component, record, size, width);
  if (periods && record.x.length > YEARLY_LABELS && record.x[0].length === 7) {
    // A long series is read by its years: a label at each January.
    label.interval = (index, code) => code.endsWith('-01');
    label.formatter = (code) => yearOfMonth(code, component.opts);
  }
  const names = record.x.map((code) => placeLabel(code, component.opts));
  if (upright) {
    const lines = names.map((name) => linesOf(name, narrow ? 92 : 150, size).join('\n'));
    Object.assign(label, { interval: 0, hideOverlap: false, formatter: (_, at) => lines[at] });
  } else if (!periods) {
    const room = (width - 56) / record.x.length;
    const { texts, turned } = placed(names, Math.max(24, room - GAP), size);
    Object.assign(label, { interval: 0, hideOverlap: false, formatter: (_, at) => texts[at], ...(turned ? { rotate: turnOf(room, size) } : {}) });
  }
  return { type: 'category', triggerEvent: Boolean(component.opts.drill), data: record.x, axisTick: { show: false }, axisLine: { lineStyle: { color: look.axis } }, axisLabel: label };
}

/** The first month names its year, unless a January stands so near that their years would touch. */
function periodText(component, record, size, width) {
  const january = record.x.findIndex((code, at) => at > 0 && code.endsWith('-01'));
  const apart = (january * (width - 60)) / record.x.length;
  const crowded = january > 0 && apart < widthOf(yearOfMonth(record.x[0], component.opts), size) + 6;
  return (code, at) => {
    const text = shortPeriod(code, at, component.opts);
    return crowded && at === 0 ? text.split('\n')[0] : text;
  };
}

/** The axis of figures. */
export function measure(component, { narrow, look }, extra = {}) {
  return {
    type: 'value',
    splitNumber: narrow ? 3 : 5,
    minInterval: 10 ** -component.digits,
    axisLabel: { color: look.axis, fontSize: narrow ? 11 : 12, hideOverlap: true },
    splitLine: { lineStyle: { color: look.rule } },
    ...extra,
  };
}

/** The axis of shares: 0 to 100 %. */
export function percent(component, scene) {
  const axis = measure(component, scene, { min: 0, max: 100, interval: scene.narrow ? 25 : 20, minInterval: 0 });
  return { ...axis, axisLabel: { ...axis.axisLabel, formatter: '{value}%' } };
}

/** Figures that hardly differ stand on an axis of ten of their smallest steps, lest rounding look like a trend. */
export function levelRange(rows, digits, narrow = false) {
  const known = rows.flat().filter((value) => typeof value === 'number');
  const [low, high, step] = [Math.min(...known), Math.max(...known), 10 ** -digits];
  if (!known.length || high - low >= 4 * step) return {};
  const round = (value) => Number(value.toFixed(digits));
  const interval = round((narrow ? 5 : 2) * step);
  const whole = (length) => Math.ceil(length / interval - 1e-9) * interval; // the axis ends with a tick
  const [min, max] = [round(low - 5 * step), round(high + 5 * step)];
  if (high <= 0) return { min: round(Math.min(0, max) - whole(Math.min(0, max) - min)), max: Math.min(0, max), interval };
  const first = low >= 0 ? Math.max(0, min) : min;
  return { min: first, max: round(first + whole(max - first)), interval };
}
