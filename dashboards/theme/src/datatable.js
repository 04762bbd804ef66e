// A flat table at work: sorted by its headings, searched, paged. Totals are published rows and stay on top.
import { element } from './dom.js';
import { fold } from './folding.js';
import { figure, SUPPRESSED } from './formats.js';
import { eraLabel } from './eras.js';
import { withMonths } from './periods.js';
import { cell, EMPTY } from './tables.js';
import { askedOf, noteAsked } from './tablestate.js';

const TEXTS = new Intl.Collator('ja', { numeric: true });
const NEXT = { none: 'ascending', ascending: 'descending', descending: 'none' };
const NOTED = 200; // milliseconds from the last key of a search to the address: browsers limit how often it changes
const known = (value) => value !== null && value !== undefined && value !== SUPPRESSED;

/** A cell that opens its place. */
const opener = (place) => element('td', {}, element('button', { type: 'button', class: 'lounge-opens', 'data-opens': place, 'aria-label': `${place}の内訳を見る` }, place));

export class DataTable {
  constructor(root, component, opens = () => false) {
    this.component = component;
    this.opens = opens; // whether a place opens to what stands under it
    this.table = root.querySelector('table');
    this.all = [];
    this.totals = 0;
    this.page = 0;
    this.heads = [...this.table.tHead.rows[0].cells];
    this.names = component.columns.map(({ head }) => head);
    this.heads.forEach((head, i) => this.makeSortable(head, i));
    const before = root.querySelector('.lounge-scroll');
    if (component.opts.search) before.before(this.searchBox(root.id));
    before.after((this.pager = this.pagerBar()));
    this.restore();
    addEventListener('popstate', () => {
      this.restore();
      this.draw();
    });
  }

  makeSortable(head, column) {
    const button = element('button', { type: 'button' }, head.textContent);
    button.addEventListener('click', () => {
      const way = NEXT[this.sort.column === column ? this.sort.way : 'none'];
      this.sort = { column: way === 'none' ? -1 : column, way };
      this.page = 0;
      this.draw();
      this.note();
    });
    head.replaceChildren(button);
    head.setAttribute('aria-sort', 'none');
  }

  searchBox(id) {
    const input = (this.input = element('input', { type: 'search', id: `${id}-search`, autocomplete: 'off' }));
    input.addEventListener('input', () => {
      this.find(input.value);
      this.page = 0;
      this.draw();
      clearTimeout(this.noting);
      this.noting = setTimeout(() => this.note(), NOTED);
    });
    this.count = element('span', { role: 'status' });
    return element('p', { class: 'lounge-table-search' }, element('label', { for: input.id }, '表の中をさがす'), input, this.count);
  }

  find(text) {
    this.asked = text.split(/\s+/).map(fold).filter(Boolean);
  }

  /** Sort and search as the address says. */
  restore() {
    const { sort, find } = askedOf(this.component.id, this.names);
    this.sort = sort;
    if (this.input) this.input.value = find;
    this.find(this.input ? find : '');
  }

  note() {
    noteAsked(this.component.id, this.names, this.sort, this.input?.value.trim() ?? '');
  }

  pagerBar() {
    this.back = element('button', { type: 'button' }, '前へ');
    this.next = element('button', { type: 'button' }, '次へ');
    this.place = element('span', { role: 'status' });
    this.back.addEventListener('click', () => this.turn(-1));
    this.next.addEventListener('click', () => this.turn(1));
    return element('div', { class: 'lounge-pager', role: 'group', 'aria-label': '表のページ', hidden: true }, this.back, this.place, this.next);
  }

  turn(by) {
    this.page += by;
    this.draw();
    this.table.parentElement.scrollTop = 0;
  }

  /** Other rows: of other choices. `totals` of them, at the front, are totals. */
  show(rows, totals = 0) {
    this.all = rows ?? [];
    this.totals = totals;
    this.page = 0;
    this.draw();
  }

  /** A cell as its reader sees it. */
  text(value, column) {
    const told = this.component.columns[column];
    if (typeof value === 'string') return withMonths(value, told.era ? eraLabel(value) : value, this.component.opts);
    return figure(value, told);
  }

  /** Rows that the search leaves, in the order asked for; totals left out. */
  found() {
    const rows = this.all.slice(this.totals).filter((row) => this.matches(row));
    const { column, way } = this.sort;
    if (column < 0) return rows;
    // What is hidden or lacking goes last, both ways, in the query's own order: its place tells nothing.
    const there = rows.filter((row) => known(row[column]));
    const sign = way === 'ascending' ? 1 : -1;
    const order = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : TEXTS.compare(a, b));
    return [...there.sort((a, b) => sign * order(a[column], b[column])), ...rows.filter((row) => !known(row[column]))];
  }

  matches(row) {
    if (!this.asked.length) return true;
    const text = row.map((value, i) => fold(this.text(value, i))).join('\n');
    return this.asked.every((word) => text.includes(word));
  }

  /** All that the table holds now, as it is sorted and searched, whatever page is open. */
  rows() {
    return [...this.all.slice(0, this.totals), ...this.found()];
  }

  draw({ whole = false } = {}) {
    const rows = this.found();
    const size = whole ? 0 : this.component.opts.rows;
    const pages = size ? Math.max(1, Math.ceil(rows.length / size)) : 1;
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const shown = size ? rows.slice(this.page * size, (this.page + 1) * size) : rows;
    const line = (row) => element('tr', {}, ...row.map((value, i) => (i === 0 && this.opens(value) ? opener(value) : cell(typeof value === 'string' && value !== SUPPRESSED ? this.text(value, i) : value, this.component.columns[i]))));
    const none = element('tr', {}, element('td', { colspan: this.component.columns.length }, EMPTY));
    const body = element('tbody', { class: 'lounge-rows' }, ...(rows.length || this.totals ? shown.map(line) : [none]));
    const top = this.totals ? [element('tbody', { class: 'lounge-totals' }, ...this.all.slice(0, this.totals).map(line))] : [];
    for (const old of [...this.table.tBodies]) old.remove();
    this.table.append(...top, body);
    this.heads.forEach((head, i) => head.setAttribute('aria-sort', this.sort.column === i ? this.sort.way : 'none'));
    this.tellPlace(rows.length, pages, size);
  }

  tellPlace(rows, pages, size) {
    if (this.count) this.count.textContent = this.asked.length ? `${this.all.length - this.totals}行のうち ${rows}行` : '';
    this.pager.hidden = pages === 1;
    this.back.disabled = this.page === 0;
    this.next.disabled = this.page === pages - 1;
    this.place.textContent = pages === 1 ? '' : `${this.page * size + 1}〜${Math.min(rows, (this.page + 1) * size)}行（全${rows}行）`;
  }
}
