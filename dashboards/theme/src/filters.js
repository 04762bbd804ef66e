// The readers' choices: controls, and the URL that carries them (?area=西区&period=2025-07).
import { element } from './dom.js';
import { compared, MOST, Pins } from './pins.js';
import { Range } from './range.js';

const LONGEST = 40; // characters of a link's word that are repeated
const SAME_MOVE = 1000; // milliseconds in which further moves of one control (a key that is held on a slider) are one step back

/** The state of a page's filters; `onChange(names)` is called with what changed. */
export class Filters {
  constructor(specs, onChange, comparable = new Set()) {
    this.onChange = onChange;
    this.controls = new Map();
    this.state = {};
    this.pinned = {}; // filter → values that stand beside the reader's choice
    this.pins = new Map();
    for (const spec of specs) {
      const root = document.querySelector(`[data-filter="${CSS.escape(spec.name)}"]`);
      const control = spec.range ? new Range(root, spec) : new Control(root, spec);
      this.controls.set(spec.name, control);
      control.onInput = (value, dragged) => this.set(spec.name, value, dragged);
      if (comparable.has(spec.name) && !spec.period && control.options.length > 1) this.pins.set(spec.name, new Pins(control, (values) => this.pin(spec.name, values)));
    }
    this.stale = new Stale(document.querySelector('[data-filter]'));
    this.state = this.asked();
    for (const [name, control] of this.controls) control.show(this.state[name], this.state[control.spec.parent]);
    this.showPins();
    addEventListener('popstate', () => this.restore());
  }

  /** Take a choice. A further move of a drag, or one right after another, is the same step back as the one before. */
  set(name, value, dragged = false) {
    if (this.state[name] === value) return;
    const at = performance.now(); // drawing takes time
    this.take({ ...this.state, [name]: value });
    this.stale.clear();
    const again = this.moved?.name === name && (dragged || at - this.moved.at < SAME_MOVE);
    history[again ? 'replaceState' : 'pushState'](null, '', this.address());
    this.moved = { name, at };
  }

  /** Let these values of a filter stand beside the reader's choice. */
  pin(name, values) {
    this.pinned = { ...this.pinned, [name]: values };
    this.stale.clear();
    history.pushState(null, '', this.address());
    this.moved = undefined;
    this.showPins();
    this.onChange([name]);
  }

  showPins() {
    for (const [name, pins] of this.pins) pins.show(this.pinned[name] ?? [], this.state[name]);
  }

  /** What stands beside the choices: filter, label and the choices with that value in place of the reader's own. */
  beside() {
    return [...this.pins.keys()].flatMap((name) => {
      const { spec, label } = this.controls.get(name);
      const values = compared(this.pinned[name] ?? [], this.state[name]).slice(1);
      return values.map((value) => {
        const upper = spec.under?.[value];
        return { name, label: label.call(this.controls.get(name), value), state: { ...this.state, [name]: value, ...(upper === undefined ? {} : { [spec.parent]: upper }) } };
      });
    });
  }

  /** First and last period that readers look at; nothing where all are shown. */
  range() {
    const [name, control] = [...this.controls].find(([, one]) => one.spec.range) ?? [];
    return name && this.state[name] !== control.spec.default ? this.state[name].split('..') : undefined;
  }

  /** The choices that decide which rows are shown; a range cuts the axes of charts only. */
  cutting() {
    return Object.fromEntries(Object.entries(this.state).filter(([name]) => !this.controls.get(name).spec.range));
  }

  /** The labels of the choices that a figure follows (of all for the page), with what these stand under; those side by
   * side as one. A range is told by what is shown. */
  labels(followed = [...this.controls.keys()]) {
    const beside = this.beside();
    const told = new Set(followed.flatMap((name) => [name, this.controls.get(name)?.spec.parent]));
    return [...this.controls].flatMap(([name, { spec }]) => (spec.range || !told.has(name) ? [] : [[this.label(name), ...beside.filter((one) => one.name === name).map((one) => one.label)].join('・')]));
  }

  /** Show other choices; a choice that does not stand under its upper one gives way to the first that does. */
  take(wanted) {
    const changed = [];
    for (const [name, control] of this.controls) {
      const upper = this.state[control.spec.parent];
      const value = control.within(wanted[name], upper);
      if (value === this.state[name] && !changed.includes(control.spec.parent)) continue;
      this.state[name] = value;
      control.show(value, upper);
      changed.push(name);
    }
    this.showPins();
    if (changed.length) this.onChange(changed);
    return changed.length > 0;
  }

  /** What the address asks for. A lower choice alone brings its upper one with it. */
  asked() {
    const query = new URLSearchParams(location.search);
    const [given, lost] = [{}, []];
    for (const [name, control] of [...this.controls].reverse()) {
      given[name] = control.asked(query) ?? given[name];
      if (given[name] === undefined && query.get(name)) lost.push([control, query.get(name)]);
      const upper = control.spec.under?.[given[name]];
      if (upper !== undefined) given[control.spec.parent] = upper;
    }
    const state = {};
    for (const [name, control] of this.controls) state[name] = control.within(given[name] ?? control.spec.default, state[control.spec.parent]);
    this.pinned = this.askedPins(query);
    const told = lost.map(([control, word]) => [word, `このページの「${control.title}」`, `「${control.label(state[control.spec.name])}」を表示しています`]);
    this.stale.tell('filters', [...told, ...this.lostPins(query)]);
    return state;
  }

  /** Values that the address asks to be compared (`?area_with=灘区&area_with=北区`). */
  askedPins(query) {
    const found = [...this.pins.keys()].map((name) => {
      const values = query.getAll(`${name}_with`).map((word) => this.controls.get(name).find(word));
      return [name, [...new Set(values.filter((value) => value !== undefined))].slice(0, MOST)];
    });
    return Object.fromEntries(found);
  }

  /** Values to be compared that no filter has. */
  lostPins(query) {
    return [...this.pins.keys()].flatMap((name) => {
      const control = this.controls.get(name);
      const lost = query.getAll(`${name}_with`).filter((word) => word && control.find(word) === undefined);
      return lost.map((word) => [word, `このページの「${control.title}」`, 'くらべる相手から外しています']);
    });
  }

  /** Take the option of this label, where there is one. */
  choose(name, label) {
    const value = this.controls.get(name)?.find(label);
    if (value !== undefined) this.set(name, value);
  }

  /** Follow the address after back or forward. */
  restore() {
    this.moved = undefined;
    if (!this.take(this.asked())) this.onChange([]); // what is compared, or how a chart is read
  }

  address() {
    const query = new URLSearchParams(location.search);
    for (const [name, control] of this.controls) {
      query.delete(`${name}_in`);
      query.delete(`${name}_with`);
      for (const value of this.pinned[name] ?? []) query.append(`${name}_with`, control.word(value));
      if (this.state[name] === control.spec.default) query.delete(name);
      else query.set(name, control.word(this.state[name]));
    }
    const text = query.toString();
    return `${location.pathname}${text ? `?${text}` : ''}${location.hash}`;
  }

  /** Label of the chosen option, for screen readers and titles. */
  label(name) {
    return this.controls.get(name).label(this.state[name]);
  }
}

/** Says of a link what it asks for and this page does not have, and what is shown instead. */
class Stale {
  constructor(first) {
    this.place = first?.closest('.lounge-filters') ?? first ?? document.querySelector('figure');
    this.lines = new Map();
  }

  /** Of each choice the word of the link, where it was looked for and what is shown; `kind` parts filters and charts. */
  tell(kind, lost) {
    this.lines.set(kind, lost.map(([word, title, shown]) => `リンクの「${word.slice(0, LONGEST)}」は、${title}にありません。${shown}。`));
    this.root?.remove();
    const lines = [...new Set([...this.lines.values()].flat())];
    if (!lines.length || !this.place) return;
    this.root = element('div', { class: 'lounge-stale', role: 'status' }, ...lines.map((line) => element('p', {}, line)));
    this.place.before(this.root);
  }

  clear() {
    this.lines.clear();
    this.tell('filters', []);
  }
}

class Control {
  constructor(root, spec) {
    this.root = root;
    this.title = root.querySelector('label, legend')?.textContent.trim() ?? '';
    this.spec = spec;
    this.select = root.querySelector('select');
    this.options = this.select
      ? [...this.select.options].map((o) => ({ value: o.value, label: o.label, group: o.parentElement.label }))
      : [...root.querySelectorAll('input')].map((i) => ({ value: i.value, label: i.nextElementSibling.textContent }));
    root.addEventListener('change', (event) => {
      if (event.target !== this.slider) this.onInput(event.target.value);
    });
    if (spec.period && this.options.length > 1) this.addSlider();
  }

  /** A period moves by slider and by single steps as well. */
  addSlider() {
    const last = this.options.length - 1;
    const title = this.root.querySelector('label').textContent;
    this.slider = element('input', { type: 'range', min: 0, max: last, step: 1, 'aria-label': `${title}（スライダー）` });
    this.back = element('button', { type: 'button', 'aria-label': '前の期間' }, '‹');
    this.next = element('button', { type: 'button', 'aria-label': '次の期間' }, '›');
    let moves; // of the drag that is under way
    this.slider.addEventListener('pointerdown', () => (moves = 0));
    this.slider.addEventListener('change', () => (moves = undefined));
    this.slider.addEventListener('input', () => this.onInput(this.options[Number(this.slider.value)].value, moves !== undefined && moves++ > 0));
    this.back.addEventListener('click', () => this.step(-1));
    this.next.addEventListener('click', () => this.step(1));
    this.root.append(this.back, this.slider, this.next);
  }

  step(by) {
    const to = this.options[this.index(this.value) + by];
    if (to) this.onInput(to.value);
  }

  index(value) {
    return this.options.findIndex((option) => option.value === value);
  }

  /** The value where it stands under the upper choice, else the default or the first that does. */
  within(value, upper) {
    const { under, default: usual } = this.spec;
    if (!under) return value;
    const offered = this.options.map((option) => option.value).filter((one) => (under[one] ?? upper) === upper);
    return [value, usual].find((one) => offered.includes(one)) ?? offered[0];
  }

  /** Offer only what stands under the upper choice. */
  offer(upper) {
    const offered = this.options.filter(({ value }) => (this.spec.under[value] ?? upper) === upper);
    this.select.replaceChildren(...offered.map(({ value, label }) => element('option', { value }, label)));
  }

  show(value, upper) {
    this.value = value;
    if (this.spec.under) this.offer(upper);
    if (this.select) this.select.value = value;
    else for (const input of this.root.querySelectorAll('input')) input.checked = input.value === value;
    if (!this.slider) return;
    const at = this.index(value);
    this.slider.value = at;
    this.slider.setAttribute('aria-valuetext', this.label(value));
    this.back.disabled = at === 0;
    this.next.disabled = at === this.options.length - 1;
  }

  label(value) {
    return this.options[this.index(value)]?.label ?? value;
  }

  /** What stands in the address: the label where it is the only one of its kind, else the code. */
  word(value) {
    const label = this.label(value);
    return this.spec.period || this.options.filter((o) => o.label === label).length > 1 ? value : label;
  }

  /** Heading that the option stands under (the ward of a school district); empty without one. */
  group(value) {
    return this.options[this.index(value)]?.group ?? '';
  }

  /** What an address asks for: its word, else the group that it names beside, else nothing. */
  asked(query) {
    const words = [query.get(this.spec.name), query.get(`${this.spec.name}_in`)].filter(Boolean);
    return words.map((word) => this.find(word)).find((value) => value !== undefined);
  }

  /** The option of this code or label; of a period also the year of a month, or the last month of a year. */
  find(word) {
    const exact = this.options.find((o) => o.value === word) ?? this.options.find((o) => o.label === word);
    if (exact || !this.spec.period || !/^\d{4}(-\d{2})?$/.test(word)) return exact?.value;
    return this.options.findLast((o) => o.value.startsWith(`${word}-`) || word.startsWith(`${o.value}-`))?.value;
  }
}
