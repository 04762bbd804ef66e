// One page at work: choices → slices → figures. The HTML came complete for the first choices; this redraws the rest.
import { showBigValue } from './bigvalue.js';
import { carryChoices } from './carry.js';
import { startCatalogue } from './catalogue.js';
import { startFavourites } from './favourites.js';
import { DataTable } from './datatable.js';
import { element } from './dom.js';
import { addPrinting, startDownload, startDownloads } from './download.js';
import { Filters } from './filters.js';
import { tellLevels } from './levels.js';
import { followLook } from './look.js';
import { followPrinting } from './paper.js';
import { addSaving } from './saving.js';
import { placeLabel } from './periods.js';
import { keyOf, rowsOf, Slices } from './slices.js';
import { hasSuppressed, showMatrix } from './tables.js';
import { startTabs } from './tabs.js';

const CHARTS = new Set(['LineChart', 'AreaChart', 'BarChart', 'Pyramid', 'Sankey']);
const HIDDEN_ALTERNATIVE = '秘匿した値（X）があります。'; // as in charts.py
const PAPER_ROWS = 36; // three years of months
const SAVED = new Set([...CHARTS, 'Map', 'Heatmap', 'DataTable']);

class Page {
  constructor(spec) {
    this.slices = new Slices(spec);
    this.filters = new Filters(spec.filters, () => this.show());
    this.views = spec.components.map((component) => new View(component, this.filters));
    this.turn = 0;
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.views.find((v) => v.root === target).come(isIntersecting);
    }, { rootMargin: '300px' });
    for (const view of this.views) if (view.isChart) seen.observe(view.root);
    followPrinting(this);
    followLook(() => this.views.forEach((view) => view.chart?.again()));
  }

  /** Labels of the readers' choices. */
  choices() {
    return Object.keys(this.filters.state).map((name) => this.filters.label(name));
  }

  /** Load the charts' code where a page has one; resolves when views can draw at once. */
  async loadCharts() {
    await Promise.all(this.views.filter((view) => view.isChart).map((view) => view.load()));
  }

  async show() {
    const turn = ++this.turn;
    carryChoices(this.filters);
    const state = { ...this.filters.state };
    try {
      const records = await this.slices.load(state);
      if (turn !== this.turn) return;
      const choices = this.choices();
      const inSight = this.views.filter((view) => view.isInSight()); // measured before anything changes
      for (const view of this.views) view.show(records[view.component.id], state, choices);
      for (const view of inSight) view.draw();
      document.documentElement.dataset.shown = JSON.stringify(state);
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

const afterFrame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

class View {
  constructor(component, filters) {
    this.component = component;
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
    if (component.kind === 'DataTable') this.flat = new DataTable(this.root, component);
    if (this.isSaved) addSaving(this);
    else if (component.kind === 'Download') startDownload(this);
  }

  /** What a screen reader is told of a drawing: its text, and whether it holds hidden values. */
  tellHidden(hidden) {
    const drawing = this.root.querySelector('[role=img][aria-label]');
    if (!drawing) return;
    const text = drawing.getAttribute('aria-label').replace(HIDDEN_ALTERNATIVE, '');
    drawing.setAttribute('aria-label', hidden ? text + HIDDEN_ALTERNATIVE : text);
  }

  show(record, state, choices) {
    const rows = rowsOf(this.component, record, state);
    const changed = !this.state || record !== this.record || rows !== this.rows;
    Object.assign(this, { record, rows, state, choices });
    this.due ||= changed;
    this.stale ||= changed;
    let hidden = hasSuppressed(this.rows);
    if (this.component.kind === 'BigValue') hidden = showBigValue(this.root, this.component, record, this.rows, state);
    else if (this.flat && changed) this.flat.show(this.rows, record?.t?.[keyOf(this.component, state)]);
    else if (this.component.kind === 'Map' && this.component.opts.drawn) this.map();
    const legend = this.root.querySelector('.lounge-x');
    if (legend) legend.hidden = !hidden;
    this.tellHidden(hidden);
    if (this.isChart && changed) tellLevels(this.root, this.component, record, rows);
    this.tellMonths();
    this.table();
  }

  /** In the title, the chosen year where it lacks months. */
  tellMonths() {
    const place = this.root.querySelector('.lounge-covers');
    const { at, slice, keys, opts } = this.component;
    const code = [at, slice, ...keys].map((name) => this.state[name]).find((value) => opts?.months?.[value]);
    this.covered = code ? placeLabel(code, opts) : '';
    if (place) place.textContent = this.covered;
  }

  isInSight() {
    if (!this.isChart) return false;
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
    this.started ??= startMap(this.root, this.component, (name) => this.filters.choose(select, name)) ?? true;
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
    if (!this.Chart) await this.load();
    if (!this.state || !this.due) return;
    this.due = false;
    this.made().show(this.record, this.rows);
  }

  /** The chart object, its code loaded. */
  async ready() {
    await this.load();
    return this.made();
  }

  /** The code that draws; afterwards a chart can be made at once. */
  async load() {
    this.Chart ??= (await (this.component.kind === 'Sankey' ? import('./sankey.js') : import('./charts.js'))).Chart;
  }

  made() {
    this.chart ??= new this.Chart(this.root, this.component);
    return this.chart;
  }

  /** Everything, for paper, now: the chart still and at its place's width, the table unless it would fill pages. */
  complete() {
    this.wasOpen = this.details?.open;
    if (this.details) this.completeTable(this.record?.x?.length ?? 0);
    this.flat?.draw({ whole: true });
    if (!this.isChart || !this.state || !this.Chart) return;
    this.made().show(this.record, this.rows, { still: true });
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
  startDownloads(page);
  addPrinting(page);
}
for (const root of document.querySelectorAll('.lounge-tabs')) startTabs(root, () => {});
const catalogue = document.querySelector('.lounge-catalogue');
if (catalogue) startCatalogue(catalogue);
else startFavourites(() => {});
const menu = document.querySelector('.site-menu');
document.addEventListener('click', (event) => {
  if (menu?.open && !menu.contains(event.target)) menu.open = false;
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && menu?.open) menu.open = false;
});
