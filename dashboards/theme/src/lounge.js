// One page at work: choices → slices → figures. The HTML came complete for the first choices; this redraws the rest.
import { showBeside, showBigValue } from './bigvalue.js';
import { carryChoices } from './carry.js';
import { startCatalogue } from './catalogue.js';
import { shownOf } from './comparing.js';
import { startFavourites } from './favourites.js';
import { DataTable } from './datatable.js';
import { Drill } from './drill.js';
import { element } from './dom.js';
import { addPrinting, startDownload, startDownloads } from './download.js';
import { Filters } from './filters.js';
import { tellLevels } from './levels.js';
import { followLook } from './look.js';
import { followPrinting } from './paper.js';
import { addSaving } from './saving.js';
import { placeLabel } from './periods.js';
import { reader, slug } from './reader.js';
import { keyOf, rowsOf, Slices } from './slices.js';
import { hasSuppressed, showMatrix } from './tables.js';
import { startTabs } from './tabs.js';
import { areasOf } from './flows.js';
import { flowsOf, viewsOf } from './views.js';
import './shared.js';

const CHARTS = new Set(['LineChart', 'AreaChart', 'BarChart', 'Pyramid', 'Sankey', 'Scatter']);
const HIDDEN_ALTERNATIVE = '秘匿した値（X）があります。'; // as in charts.py
const PAPER_ROWS = 36; // three years of months
const COMPARED = new Set(['LineChart', 'AreaChart', 'BarChart', 'Pyramid', 'BigValue']);
const SAVED = new Set([...CHARTS, 'Map', 'Heatmap', 'DataTable']);

const LATER = { Sankey: () => import('./sankey.js'), Scatter: () => import('./scatter.js') }; // kinds with code of their own

/** Whether the same matrices are shown under the same names. */
const alike = (one, other) => one.length === other?.length && one.every(({ label, record, rows }, at) => label === other[at].label && record === other[at].record && rows === other[at].rows);

class Page {
  constructor(spec) {
    this.slices = new Slices(spec);
    this.filters = new Filters(spec.filters, () => this.show(), comparable(spec.components));
    const again = () => {
      this.filters.stale.clear();
      this.show();
    };
    this.views = spec.components.map((component) => new View(component, this.filters, again));
    addEventListener('popstate', () => this.tellLost());
    this.turn = 0;
    this.watch('300px', (view, near) => view.come(near));
    this.watch('0px', (view, inSight) => (view.inSight = inSight));
    followPrinting(this);
    followLook(() => this.views.forEach((view) => view.chart?.again()));
  }

  /** Tell of every chart whether it is within the window and a margin, at first and whenever that changes. */
  watch(rootMargin, tell) {
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) tell(this.views.find((view) => view.root === target), isIntersecting);
    }, { rootMargin });
    for (const view of this.views) if (view.isChart) seen.observe(view.root);
  }

  /** Labels of all the readers' choices. */
  choices() {
    return this.filters.labels();
  }

  /** Load the charts' code where a page has one; resolves when views can draw at once. */
  async loadCharts() {
    await Promise.all(this.views.filter((view) => view.isChart).map((view) => view.load()));
  }

  /** Of a link what its charts do not have: a place that is opened, a way to read, an area of flows. */
  tellLost() {
    this.filters.stale.tell('charts', this.views.flatMap(({ drill, views, flows }) => [drill, views, flows].flatMap((one) => one?.lost ?? [])));
  }

  async show() {
    const turn = ++this.turn;
    carryChoices(this.filters);
    const opened = Object.assign({}, ...this.views.map((view) => view.drill?.state ?? {}));
    const state = { ...this.filters.state, ...opened };
    try {
      const beside = this.filters.beside().map((one) => ({ ...one, state: { ...one.state, ...opened } }));
      const [records, ...others] = await Promise.all([state, ...beside.map((one) => one.state)].map((one) => this.slices.load(one)));
      if (turn !== this.turn) return;
      const inSight = this.views.filter((view) => view.isInSight()); // measured before anything changes
      for (const view of this.views) {
        const { id } = view.component;
        view.show([{ state, record: records[id] }, ...beside.map((one, at) => ({ ...one, record: others[at][id] }))]);
      }
      if (!document.documentElement.dataset.shown) { // a page that opens: the first chart stands before the next is begun
        await inSight[0]?.draw().catch(() => {}); // told when it is drawn again below
        if (!document.hidden) await afterFrame();
        if (turn !== this.turn) return;
      }
      for (const view of inSight) view.draw();
      document.documentElement.dataset.shown = JSON.stringify(this.filters.cutting());
      this.drawNear(turn);
    } catch {
      document.documentElement.dataset.failed = 'true';
    }
  }

  /** Charts that a reader may scroll to, when those in sight stand on the screen; one a task, lest a choice wait for them. */
  async drawNear(turn) {
    for (const view of this.views) {
      if (!view.near || !view.due) continue;
      await afterFrame();
      if (turn !== this.turn) return;
      view.draw();
    }
  }
}

/** The filters that a component follows. A choice that it does not follow is not told with it: 「神戸市」 beside a district's figures. */
const followedBy = ({ slice, keys }) => [slice, ...keys];

/** Filters that charts and headline figures follow: areas of these can stand side by side. */
const comparable = (components) => new Set(components.filter(({ kind }) => COMPARED.has(kind)).flatMap(followedBy));

const afterFrame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

class View {
  constructor(component, filters, again) {
    this.asked = component;
    this.component = component; // as it is shown: an index has another format
    this.filters = filters;
    this.root = document.getElementById(component.id);
    this.isChart = CHARTS.has(component.kind);
    this.near = false;
    this.due = true; // the chart shows other choices, or nothing yet
    this.details = this.root.querySelector('details');
    // A click draws before the table opens: `toggle` comes a task later and would show the former choices until then.
    this.details?.querySelector('summary').addEventListener('click', () => this.table(true));
    this.details?.addEventListener('toggle', () => this.table());
    this.isSaved = SAVED.has(component.kind);
    if (component.opts?.views) this.views = viewsOf(this.root, component, again);
    if (component.opts?.drill) this.startDrill(again);
    if (component.kind === 'Sankey') this.flows = flowsOf(this.root, component, again);
    if (component.kind === 'DataTable') this.flat = new DataTable(this.root, component, (place) => this.drill?.opens(place));
    if (this.isSaved) addSaving(this);
    else if (component.kind === 'Download') startDownload(this);
  }

  /** Places that open to what stands under them: by their mark, their cell, or from a list. */
  startDrill(again) {
    this.drill = new Drill(this.root, this.asked, again);
    this.root.addEventListener('click', ({ target }) => {
      const place = target.closest?.('[data-opens]')?.dataset.opens;
      if (place) this.drill.open(place);
    });
  }

  /** What a screen reader is told of a drawing: its text, and whether it holds hidden values. */
  tellHidden(hidden) {
    const drawing = this.root.querySelector('[role=img][aria-label]');
    if (!drawing) return;
    const text = drawing.getAttribute('aria-label').replace(HIDDEN_ALTERNATIVE, '');
    drawing.setAttribute('aria-label', hidden ? text + HIDDEN_ALTERNATIVE : text);
  }

  /** Show the choices: `parts` are state and record of the reader's own choice, then of those that stand beside it. */
  show(parts) {
    const { state, record } = parts[0];
    const given = this.given(parts);
    const { rows } = given[0];
    this.flows?.show([['', 'すべて'], ...areasOf(record).map((name) => [name, name])]);
    const way = [this.views?.asked, this.flows?.asked, this.isChart && this.filters.range()].join();
    const changed = !this.state || way !== this.way || !alike(given, this.parts);
    this.drill?.show();
    const inside = this.drill && this.drill.at !== this.drill.places.root ? [this.drill.at] : [];
    Object.assign(this, { parts: given, way, state, choices: [...this.filters.labels(followedBy(this.component)), ...inside] });
    if (changed) this.take(given);
    this.due ||= changed;
    this.stale ||= changed;
    let hidden = hasSuppressed(this.rows);
    if (this.component.kind === 'BigValue') {
      hidden = showBigValue(this.root, this.component, record, rows, state);
      hidden = showBeside(this.root, this.component, given) || hidden;
    } else if (this.flat && changed) this.flat.show(rows, record?.t?.[keyOf(this.component, state)]);
    else if (this.component.kind === 'Map' && this.component.opts.drawn) this.map();
    const legend = this.root.querySelector('.lounge-x');
    if (legend) legend.hidden = !hidden;
    this.tellHidden(hidden);
    if (this.isChart && changed) tellLevels(this.root, this.asked, record, rows, this.record?.x);
    this.tellMonths();
    this.table();
  }

  /** The matrices to be shown: of the reader's choice and, where it follows a filter that is compared, of those beside it. */
  given(parts) {
    const { slice, keys, kind } = this.asked;
    const beside = COMPARED.has(kind) ? parts.slice(1).filter(({ name }) => name === slice || keys.includes(name)) : [];
    const same = beside.filter(({ name }) => name === beside[0].name); // one filter at a time
    const label = same.length ? this.filters.label(same[0].name) : '';
    return [{ ...parts[0], label }, ...same].map((part) => ({ label: part.label, state: part.state, record: part.record, rows: rowsOf(this.asked, part.record, part.state) }));
  }

  /** Component, record and rows as they are drawn, tabled and taken away. */
  take(given) {
    this.shown = this.isChart ? shownOf(this.asked, given, { range: this.filters.range(), view: this.views?.asked }) : { component: this.asked, record: given[0].record, rows: given[0].rows };
    if (this.flows) this.shown = { ...this.shown, component: { ...this.asked, of: this.flows.asked } };
    const { component, record, rows } = this.shown;
    Object.assign(this, { component, record, rows });
  }

  /** In the title, the chosen year where it lacks months. */
  tellMonths() {
    const place = this.root.querySelector('.lounge-covers');
    const { at, slice, keys, opts } = this.asked;
    const code = [at, slice, ...keys].map((name) => this.state[name]).find((value) => opts?.months?.[value]);
    this.covered = code ? placeLabel(code, opts) : '';
    if (place) place.textContent = this.covered;
    this.tellView();
  }

  /** Below the title, how the figures are read where that is not as they are. */
  tellView() {
    const words = this.component.told ?? '';
    if (this.toldView) this.toldView.textContent = words;
    else if (words) this.root.querySelector('figcaption').append((this.toldView = element('span', { class: 'lounge-told' }, words)));
    if (words) this.covered = [this.covered, words].filter(Boolean).join(' ');
  }

  /** Whether a reader sees it; measured only on a page that opens, for to measure is to lay the page out. */
  isInSight() {
    if (!this.isChart || this.inSight !== undefined) return Boolean(this.inSight);
    const { width, top, bottom } = this.root.getBoundingClientRect();
    return width > 0 && bottom > 0 && top < innerHeight;
  }

  /** Near the window, or no longer. */
  come(near) {
    this.near = near;
    if (near) this.draw();
  }

  /** The areas of a map, of which one may be a choice. */
  async map() {
    const { select } = this.component.opts;
    const { showMap, startMap } = await import('./map.js');
    this.started ??= startMap(this.root, this.component, (name) => (this.drill?.opens(name) ? this.drill.open(name) : this.filters.choose(select, name))) ?? true;
    showMap(this.root, this.component, this.record, this.rows, select && this.filters.label(select));
  }

  /** The table, when someone looks at it or is about to. */
  table(asked = false) {
    const alone = this.component.kind === 'Heatmap' || (this.component.kind === 'Map' && !this.component.opts.drawn);
    const open = asked || alone || this.details?.open;
    if (!this.stale || !open) return;
    showMatrix(this.root, this.component, this.record, this.rows);
    this.stale = false;
  }

  /** The chart, where it does not show the choices of the moment; in this task if its code is there. */
  async draw() {
    if (!this.Drawing) await this.load();
    if (!this.state || !this.due) return;
    this.due = false;
    this.made().show(this.shown);
  }

  /** What draws it for a picture, its code loaded. */
  async tiles() {
    await this.load();
    return this.tilesOf;
  }

  /** The code that draws; afterwards a chart can be made at once. */
  async load() {
    if (this.Drawing) return;
    const { lines, notes } = this.asked.opts ?? {};
    const [{ Drawing, tilesOf }] = await Promise.all([(LATER[this.asked.kind] ?? (() => import('./charts.js')))(), (lines || notes) && import('./marks.js')]);
    Object.assign(this, { Drawing, tilesOf });
  }

  made() {
    this.chart ??= new this.Drawing(this.root, (place) => this.drill?.opens(place) && this.drill.open(place));
    return this.chart;
  }

  /** Everything, for paper, now: the chart still and at its place's width, the table unless it would fill pages. */
  complete() {
    this.wasOpen = this.details?.open;
    if (this.details) this.completeTable(this.record?.x?.length ?? 0);
    this.flat?.draw({ whole: true });
    if (!this.isChart || !this.state || !this.Drawing) return;
    this.made().show(this.shown, { still: true });
  }

  /** A table of many rows goes to paper only where the reader opened it. */
  completeTable(rows) {
    this.details.open ||= rows <= PAPER_ROWS;
    if (this.details.open && this.state) this.table(true);
    if (!this.details.open) this.details.after((this.leftOut = element('p', { class: 'lounge-left-out' }, `表（${rows}行）は、画面で開いてから印刷すると付きます。`)));
  }

  /** Back to the screen. */
  return() {
    if (this.details) this.details.open = this.wasOpen;
    this.leftOut?.remove();
    this.flat?.draw();
    this.chart?.again();
  }
}

document.documentElement.classList.replace('no-js', 'js');
const source = document.getElementById('lounge-spec');
let page;
if (source) {
  const spec = JSON.parse(source.textContent);
  page = new Page(spec);
  page.loadCharts();
  page.ready = page.show();
  page.ready.then(() => page.tellLost());
  startDownloads(page);
  addPrinting(page);
}
for (const root of document.querySelectorAll('.lounge-tabs')) startTabs(root, () => {});
const catalogue = document.querySelector('.lounge-catalogue');
if (catalogue) startCatalogue(catalogue);
else startFavourites(() => {});
reader().then(async (told) => {
  if (told.csrf) (await import('./news.js')).showNews(told, slug());
});
const menus = () => document.querySelectorAll('.site-menu[open]');
document.addEventListener('click', (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') for (const menu of menus()) menu.open = false;
});
