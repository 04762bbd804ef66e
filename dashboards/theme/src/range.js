// A range of periods: the first and the last that charts show along their axis (`?span=2015-01..2025-12`).
import { element } from './dom.js';

/** Two lists of periods in one filter; its value is `first..last`. */
export class Range {
  constructor(root, spec) {
    this.root = root;
    this.spec = spec;
    this.title = root.querySelector('legend').textContent.trim();
    this.lists = [...root.querySelectorAll('select')];
    this.options = [...this.lists[0].options].map(({ value, label }) => ({ value, label }));
    this.whole = element('button', { type: 'button' }, '全期間');
    this.whole.addEventListener('click', () => this.onInput(spec.default));
    root.querySelector('div').append(this.whole);
    root.addEventListener('change', (event) => this.onInput(ordered(this.lists.map(({ value }) => value), this.lists.indexOf(event.target))));
  }

  within = (value) => value;

  show(value) {
    value.split('..').forEach((code, at) => (this.lists[at].value = code));
    this.whole.disabled = value === this.spec.default;
  }

  label(value) {
    return value.split('..').map((code) => this.options.find((one) => one.value === code)?.label ?? code).join('～');
  }

  word = (value) => value;
  group = () => '';

  /** What an address asks for: two of the periods, in their order. */
  asked(query) {
    const ends = query.get(this.spec.name)?.split('..') ?? [];
    const known = ends.length === 2 && ends.every((code) => this.options.some(({ value }) => value === code));
    return known && ends[0] <= ends[1] ? ends.join('..') : undefined;
  }

  find = () => undefined;
}

/** Ends in order: where the reader moves one past the other, that one follows. */
export function ordered([from, to], moved) {
  if (from <= to) return `${from}..${to}`;
  return moved === 0 ? `${from}..${from}` : `${to}..${to}`;
}
