// Charts by Apache ECharts, trimmed to what pages use, drawn as SVG. Loaded only where a page has one.
// Each part from its own module: through the package's lists, a page with bars would load what flows, canvases and
// scrolled legends need as well. What tells the figures under a pointer (tips.js) and what draws reference lines
// (marks.js) come when they are asked for.
import { install as BarChart } from 'echarts/lib/chart/bar/install.js';
import { install as LineChart } from 'echarts/lib/chart/line/install.js';
import { install as Grid } from 'echarts/lib/component/grid/installSimple.js';
import { install as Legend } from 'echarts/lib/component/legend/installLegendPlain.js';
import { install as MarkPoint } from 'echarts/lib/component/marker/installMarkPoint.js';
import { init } from 'echarts/lib/core/echarts.js';
import { use } from 'echarts/lib/extension.js';
import { install as SVGRenderer } from 'echarts/lib/renderer/installSVGRenderer.js';
import './shared.js';
import { element } from './dom.js';
import { guides, levelsOf } from './guides.js';
import { lone, roomy, stacked } from './stacks.js';
import { EMPTY } from './tables.js';
import palette from './palette.json' with { type: 'json' };
import { category, draw, levelRange, measure, percent, sharedAxis } from './axes.js';
import { figure, SUPPRESSED } from './formats.js';
import { colourOf, pageLook } from './look.js';
import { placeLabel } from './periods.js';

use([BarChart, LineChart, Grid, Legend, MarkPoint, SVGRenderer]);

const PALE = 0.45; // stacks with a hidden part
const { dashes, markers } = palette; // lines differ by dash, and beyond four by marker as well
const CALM = matchMedia('(prefers-reduced-motion: reduce)').matches;

const NO_STACK = 'どの時点・区分にも秘匿した値（X）があるため、グラフを描けません。公表している値は、下の「表で見る」でご覧ください。';
const ALL_HIDDEN = 'この条件の値は、すべて秘匿（X）です。グラフは描けません。';
const SHARE = { unit: '%', digits: 1 };

const drawable = (value) => (typeof value === 'number' ? value : null);

/** One chart in its place; `show` redraws it for a panel: component, record and rows. */
class Chart {
  constructor(place, pick = () => {}) {
    this.place = place;
    this.pick = pick;
    this.tells = false; // the figures under a pointer
    this.start();
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.place);
    for (const kind of ['pointerenter', 'pointermove']) this.place.addEventListener(kind, (event) => this.point(event));
  }

  start() {
    this.chart = init(this.place, null, { renderer: 'svg' });
    this.chart.on('click', ({ componentType, name, value }) => this.pick(componentType === 'series' ? name : value));
  }

  /** A pointer comes: what tells the figures under it is loaded, and the chart drawn again with it, at once. */
  async point({ clientX, clientY }) {
    if (this.tells) return;
    this.pointed = [clientX, clientY];
    if (this.waits) return;
    this.waits = true;
    try {
      await import('./tips.js');
    } catch {
      return; // the table has the figures; the next move tries again
    } finally {
      this.waits = false;
    }
    if (this.chart.isDisposed() || this.place.hidden || !this.last) return;
    this.tells = true;
    this.chart.dispose();
    this.start(); // a chart takes only what was there when it was made
    this.show(this.last[0], { ...this.last[1], still: true });
    const { left, top } = this.place.getBoundingClientRect();
    this.chart.dispatchAction({ type: 'showTip', x: this.pointed[0] - left, y: this.pointed[1] - top });
  }

  /** Draw again where the place has another size; the first report of a new chart tells the size that it has. */
  resize() {
    if (this.place.hidden || !this.last) return;
    const { clientWidth, clientHeight } = this.place;
    if (clientWidth === this.chart.getWidth() && clientHeight === this.chart.getHeight()) return;
    this.chart.resize();
    this.show(...this.last);
  }

  /** Draw a panel; `still` at once and at the width of the moment, for paper; `shared` on an axis given by its neighbours. */
  show(panel, { still = false, shared } = {}) {
    this.last = [panel, { shared }];
    this.isDrawn = !this.without(undrawn(panel.component, panel.record, panel.rows));
    if (!this.isDrawn) return;
    if (still) this.chart.resize();
    const look = pageLook();
    const option = optionOf(panel, { width: this.chart.getWidth(), height: this.chart.getHeight(), look });
    if (!this.tells) delete option.tooltip;
    draw(this.chart, still ? { ...option, animation: false } : option, look, shared);
    if (still) this.chart.getZr().flush();
  }

  /** Words in place of the chart, where there are any; its place is given back when there are none. */
  without(words) {
    this.words ??= this.place.parentElement.insertBefore(element('p', { class: 'lounge-undrawn', role: 'status' }), this.place.nextSibling);
    this.words.textContent = words;
    this.words.hidden = !words;
    if (words) this.chart.clear();
    if (this.place.hidden === Boolean(words)) return Boolean(words);
    this.place.hidden = Boolean(words);
    if (!words) this.chart.resize();
    return Boolean(words);
  }

  /** Give the place up, for charts side by side. */
  leave() {
    this.last = undefined;
    this.chart.clear();
    this.place.hidden = true;
    if (this.words) this.words.hidden = true;
  }

  end() {
    this.watch.disconnect();
    this.chart.dispose();
  }
}

/** The chart of a figure, or its panels side by side on one scale. */
export class Drawing {
  constructor(root, pick) {
    this.place = root.querySelector('.lounge-canvas');
    this.pick = pick;
    this.one = new Chart(this.place, pick);
    this.many = [];
  }

  /** Draw what a view shows: one panel, or several (`panels`). */
  show(shown, { still = false } = {}) {
    this.shown = shown;
    this.end();
    if (!shown.panels) {
      this.one.show(shown, { still });
      return;
    }
    this.one.leave();
    this.many = shown.panels.map((panel) => this.panel(panel));
    const draws = this.many.filter(({ chart }, at) => (chart.show(shown.panels[at], { still }), chart.isDrawn));
    const shared = sharedAxis(draws.map(({ chart }) => chart.chart));
    if (shared) for (const { chart } of draws) chart.show(chart.last[0], { still, shared });
  }

  /** A place for one panel, with its name. */
  panel({ label, component }) {
    this.box ??= this.place.parentElement.insertBefore(element('div', { class: 'lounge-panels' }), this.place);
    this.box.hidden = false;
    const words = this.place.getAttribute('aria-label').replace(component.title, `${component.title} ${label}`);
    const place = element('div', { class: 'lounge-canvas', role: 'img', 'aria-label': words });
    this.box.append(element('div', { class: 'lounge-panel' }, element('p', {}, label), place));
    return { chart: new Chart(place, this.pick) };
  }

  end() {
    for (const { chart } of this.many) chart.end();
    this.many = [];
    this.box?.replaceChildren();
    if (this.box) this.box.hidden = true;
  }

  /** Draw what is shown again, in the colours of the moment. */
  again() {
    if (this.shown) this.show(this.shown);
  }
}

const PANEL_HEAD = 34; // pixels of a panel's name in a saved picture

/** The charts of a saved picture: each with its place, and a name where there are several. */
export function tilesOf(shown, width, height, look) {
  const panels = shown.panels ?? [shown];
  const across = panels.length > 4 ? 3 : Math.min(panels.length, 2);
  const [wide, high] = [width / across, height / Math.ceil(panels.length / across)];
  const head = shown.panels ? PANEL_HEAD : 0;
  return panels.map((panel, at) => {
    const size = { width: wide, height: high - head };
    const option = undrawn(panel.component, panel.record, panel.rows) ? {} : optionOf(panel, { ...size, look });
    return { ...size, x: (at % across) * wide, y: Math.floor(at / across) * high + head, label: shown.panels ? panel.label : '', option: { ...option, animation: false, tooltip: undefined } };
  });
}

/** A panel as ECharts takes it, in so many pixels and the colours of a look. */
function optionOf({ component, record, rows }, size) {
  const scene = { ...size, narrow: size.width < 480 };
  const make = standsAlone(component, record) ? bars : (MAKERS[component.kind] ?? lines);
  const drawn = stacked(component, record, rows);
  const made = { ...frame(component, record, rows, drawn, scene), ...make(component, record, rows, scene, drawn) };
  if (!component.opts.lines && !component.opts.notes) return made;
  return { ...made, series: [...made.series, guides(component, record, Boolean(component.opts.horizontal), scene.look, scene)] };
}

/** Why a matrix cannot be drawn, in words; empty where it can be. An axis with nothing but 「X」 tells a reader nothing. */
function undrawn(component, record, rows) {
  if (!rows?.length) return EMPTY;
  if (component.kind === 'Sankey' || stacked(component, record, rows).rows.flat().some((value) => typeof value === 'number')) return '';
  if (!rows.flat().includes(SUPPRESSED)) return EMPTY;
  return rows.flat().some((value) => typeof value === 'number') ? NO_STACK : ALL_HIDDEN;
}

/** One place on the axis is no trend: a bar stands there. */
const standsAlone = ({ kind }, record) => (kind === 'LineChart' || kind === 'AreaChart') && record.x.length === 1;

/** Kind → what is drawn beside the frame; kinds that are loaded later enter themselves. */
export const MAKERS = { Pyramid: pyramid, BarChart: bars };

/** Lines that the legend takes: one word is its text at 13 px and a mark of 40 px. */
function legendLines(names, width) {
  let [lines, used] = [1, 0];
  for (const name of names) {
    const needed = name.length * 13 + 40;
    if (used && used + needed > width) [lines, used] = [lines + 1, 0];
    used += needed;
  }
  return lines;
}

function frame(component, record, rows, drawn, { width, look }) {
  const names = drawn.names.filter((name) => name && !component.opts.band?.includes(name));
  const upright = component.opts.horizontal ? 'y' : 'x';
  const above = component.opts.lines?.some((one) => one[upright] !== undefined) ? 12 : 0; // names of upright lines
  const free = component.kind === 'LineChart' && !component.opts.zero ? 8 : 0; // words above an axis that is cut
  const top = 16 + above + free + (names.length > 1 ? 24 * legendLines(names, width) : 0);
  const icon = component.kind === 'LineChart' ? {} : { icon: 'roundRect' };
  return {
    animation: !CALM,
    animationDuration: 250,
    animationDurationUpdate: 250,
    textStyle: { fontFamily: look.font, color: look.ink },
    color: look.colours,
    grid: { left: 4, right: 16, top, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    legend: names.length > 1 ? { top: 0, left: 0, data: names, ...icon, itemWidth: 26, itemHeight: 10, textStyle: { color: look.ink, fontSize: 13 } } : undefined,
    tooltip: {
      trigger: 'axis',
      confine: true,
      className: 'lounge-tooltip',
      axisPointer: { type: component.kind === 'BarChart' || component.kind === 'Pyramid' || standsAlone(component, record) ? 'shadow' : 'line' },
      formatter: (points) => tooltip(component, record, rows, drawn, record.x.indexOf(points[0].axisValue)),
    },
  };
}

/** The figures at one place of the x axis; DOM, because the security policy allows no inline style. */
function tooltip(component, record, rows, drawn, at) {
  const lines = rows.map((row, i) => {
    const value = row[at];
    const share = component.opts.total && drawn.rows[drawn.names.indexOf(record.s[i])]?.[at];
    const figures = value === SUPPRESSED ? 'X（秘匿）' : figure(value, component);
    const text = typeof share === 'number' ? `${figure(share, SHARE)}（${figures}）` : figures;
    return element('div', {}, record.s[i] ? element('span', {}, record.s[i]) : null, element('b', {}, text));
  });
  return element('div', {}, element('p', {}, placeLabel(record.x[at], component.opts)), ...lines);
}

function lines(component, record, rows, scene, drawn) {
  const area = component.kind === 'AreaChart';
  const { look } = scene;
  const { band } = component.opts;
  const zero = area || component.opts.zero;
  const free = { scale: !zero, ...(zero ? {} : levelRange([...rows, levelsOf(component)], component.digits, scene.narrow)) };
  const apart = (at) => Boolean(component.opts.months?.[record.x[at]]); // a year that lacks months joins no line
  const plain = drawn.names.filter((name) => name !== component.opts.dashed); // what is aimed at or foreseen is told by dashes and rings
  const alone = record.x.length <= 36 || drawn.hidden.length > 0; // beside a gap a point may stand alone
  return {
    xAxis: { ...category(component, record, scene, false), boundaryGap: record.x.length === 1 },
    yAxis: component.opts.total ? percent(component, scene) : measure(component, scene, free),
    series: drawn.rows.map((row, i) => ringed(component, drawn.names[i], row, look) ?? ({
      type: 'line',
      name: drawn.names[i],
      ...(component.opts.dashed === drawn.names[i] ? { color: colourOf(look, 0) } : {}),
      data: row.map((value, at) => (apart(at) ? null : lone(row, at) ? { value: drawable(value), symbolSize: i < 4 ? 6 : 9 } : drawable(value))),
      connectNulls: false,
      symbol: component.opts.dashed === drawn.names[i] ? 'emptyCircle' : markers[i % markers.length],
      symbolSize: record.x.length > 36 ? 3 : i < 4 ? 6 : 9,
      showAllSymbol: alone || row.some((_, at) => lone(row, at)),
      lineStyle: { width: 2.5, type: component.opts.dashed === drawn.names[i] ? [8, 5] : dashes[plain.indexOf(drawn.names[i]) % dashes.length] },
      ...(area ? { stack: 'all', areaStyle: { opacity: 0.75 } } : {}),
      ...(area && i === 0 ? { markPoint: markedAt(roomy(drawn.hidden, record.x.length, scene.width - 60), false, scene.look) } : {}),
    })).filter(({ name }) => !band?.includes(name)).concat(area ? [] : points(record, drawn, apart, look), ribbon(component, drawn, look)),
  };
}

/** A series that only marks places on the lines: rings without a line of their own. */
function ringed({ opts }, name, row, look) {
  if (!opts.marked?.includes(name)) return undefined;
  const ring = { color: 'transparent', borderColor: look.ink, borderWidth: 1.5 };
  return { type: 'line', name, data: row.map(drawable), symbol: 'circle', symbolSize: 14, showAllSymbol: true, color: look.ink, itemStyle: ring, lineStyle: { opacity: 0 }, z: 5 };
}

/** The band between two series: the lower one unseen, the difference filled on top of it. */
function ribbon({ opts }, drawn, look) {
  const [lower, upper] = (opts.band ?? []).map((name) => drawn.rows[drawn.names.indexOf(name)]);
  if (!lower || !upper) return [];
  const wide = lower.map((low, at) => (typeof low === 'number' && typeof upper[at] === 'number' ? upper[at] - low : null));
  const plain = { type: 'line', stack: 'band', stackStrategy: 'all', symbol: 'none', silent: true, color: colourOf(look, 0), lineStyle: { opacity: 0 } };
  return [
    { ...plain, name: opts.band[0], data: lower.map((low, at) => (wide[at] === null ? null : low)) },
    { ...plain, name: opts.band[1], data: wide, areaStyle: { opacity: 0.16 } },
  ];
}

/** Marks of their own for places that join no line. */
function points(record, drawn, apart, look) {
  if (!record.x.some((_, at) => apart(at))) return [];
  return drawn.rows.map((row, i) => ({
    type: 'line',
    name: drawn.names[i],
    data: row.map((value, at) => (apart(at) ? drawable(value) : null)),
    symbol: markers[i % markers.length],
    symbolSize: 9,
    showAllSymbol: true,
    color: colourOf(look, i),
    lineStyle: { opacity: 0 },
  }));
}

/** 「X」 where a bar would stand; `aside` moves it from the middle of its group to its own place. */
function marks(row, horizontal, look, aside = 0) {
  return markedAt(row.flatMap((value, i) => (value === SUPPRESSED ? [i] : [])), horizontal, look, aside);
}

/** 「X」 at places along x, on the axis. */
function markedAt(places, horizontal, look, aside = 0) {
  if (!places.length) return undefined;
  const data = places.map((i) => ({ coord: horizontal ? [0, i] : [i, 0] }));
  const label = { show: true, formatter: SUPPRESSED, color: look.muted, fontSize: 12, position: horizontal ? 'right' : 'top', offset: horizontal ? [0, aside] : [aside, 0] };
  return { symbol: 'circle', symbolSize: 0.1, silent: true, animation: false, label, data };
}

/** Pixels along the axis that one place has. */
const bandOf = (record, horizontal, size) => (horizontal ? size.height - 70 : size.width - 60) / record.x.length;
const DENSE = 8; // below, a line around the parts of a stack would cover their colour

/** Distance of a series' bar from the middle of its group, in pixels. */
function aside(i, rows, record, horizontal, size) {
  const band = bandOf(record, horizontal, size);
  return ((i - (rows.length - 1) / 2) * Math.min((band * 0.72) / rows.length, 44)) / 2;
}

function bars(component, record, rows, scene, drawn) {
  const { narrow, look } = scene;
  const { horizontal, stacked: piled, total } = component.opts;
  const names = category(component, record, scene, horizontal);
  if (horizontal) names.inverse = true;
  const values = total ? percent(component, scene) : measure(component, scene);
  const alone = rows.length === 1;
  const dense = bandOf(record, horizontal, scene) < DENSE;
  const hidden = new Set(drawn.hidden);
  const inOne = dense && !hidden.size && !component.opts.drill; // hundreds of thin bars of one look are one path a series
  const figures = (row) => row.map((value, at) => (hidden.has(at) && typeof value === 'number' ? { value, itemStyle: { opacity: PALE } } : drawable(value)));
  return {
    xAxis: horizontal ? values : names,
    yAxis: horizontal ? names : values,
    series: drawn.rows.map((row, i) => ({
      type: 'bar',
      name: drawn.names[i],
      data: figures(row),
      barMaxWidth: horizontal ? 26 : 44,
      barCategoryGap: dense ? '10%' : '28%',
      ...(inOne ? { large: true, largeThreshold: 1 } : {}),
      ...(piled
        ? { stack: 'all', itemStyle: dense ? {} : { borderColor: look.ground, borderWidth: 1 } }
        : { markPoint: marks(row, horizontal, look, aside(i, rows, record, horizontal, scene)) }),
      ...(alone && horizontal
        ? { label: { show: true, position: 'right', color: look.ink, fontSize: 12, formatter: ({ dataIndex }) => figure(row[dataIndex], { digits: component.digits }) } }
        : {}),
    })).concat(hidden.size ? [crosses(drawn, record, horizontal, scene)] : []),
    ...(alone && horizontal ? { grid: { left: 4, right: narrow ? 56 : 72, top: 8, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' } } : {}),
  };
}

/** 「X」 at the end of each stack with a hidden part: a part of no length on top, which says that more belongs there. */
function crosses(drawn, record, horizontal, size) {
  const shown = new Set(roomy(drawn.hidden, record.x.length, horizontal ? size.height - 70 : size.width - 60));
  const label = { show: true, formatter: SUPPRESSED, color: size.look.ink, fontSize: 12, position: horizontal ? 'right' : 'top', distance: 3 };
  const data = record.x.map((_, at) => (shown.has(at) ? { value: 0, label } : null));
  return { type: 'bar', stack: 'all', silent: true, animation: false, data };
}

/** Men to the left, women to the right, on one scale; the figures stay positive for the reader. */
function pyramid(component, record, rows, scene) {
  const known = rows.flat().filter((value) => typeof value === 'number');
  const step = niceStep(Math.max(1, ...known));
  const limit = Math.ceil(Math.max(1, ...known) / step) * step;
  const few = scene.width < 320;
  const names = category(component, record, scene, true);
  names.axisLabel.fontSize = 11;
  const side = (row, i) => ({
    type: 'bar',
    name: record.s[i],
    data: row.map((value) => (typeof value === 'number' ? (i === 0 ? -value : value) : null)),
    stack: 'age',
    barCategoryGap: '14%',
    markPoint: marks(row, true, scene.look) && { ...marks(row, true, scene.look), label: { ...marks(row, true, scene.look).label, position: i === 0 ? 'left' : 'right' } },
  });
  return {
    xAxis: measure(component, scene, { min: -limit, max: limit, interval: few ? limit : step, minInterval: 0 }),
    yAxis: names,
    series: rows.map(side),
    bothWays: true,
  };
}

/** A round step of which two to four fit into `largest`. */
function niceStep(largest) {
  const power = 10 ** Math.floor(Math.log10(largest / 2));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => largest / step <= 3) ?? 10 * power;
}
