// The readers' choices: controls, and the URL that carries them (?area=西区&period=2025-07).
import { element } from './dom.js';

/** The state of a page's filters; `onChange(names)` is called with what changed. */
export class Filters {
  constructor(specs, onChange) {
    this.onChange = onChange;
    this.controls = new Map();
    this.state = {};
    const query = new URLSearchParams(location.search);
    for (const spec of specs) {
      const control = new Control(document.querySelector(`[data-filter="${CSS.escape(spec.name)}"]`), spec);
      this.controls.set(spec.name, control);
      this.state[spec.name] = control.asked(query);
      control.show(this.state[spec.name]);
      control.onInput = (value) => this.set(spec.name, value);
    }
    addEventListener('popstate', () => this.restore());
  }

  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.controls.get(name).show(value);
    history.replaceState(null, '', this.address());
    this.onChange([name]);
  }

  /** Take the option of this label, where there is one. */
  choose(name, label) {
    const value = this.controls.get(name)?.find(label);
    if (value !== undefined) this.set(name, value);
  }

  /** Follow the address after back or forward. */
  restore() {
    const query = new URLSearchParams(location.search);
    const changed = [];
    for (const [name, control] of this.controls) {
      const value = control.asked(query);
      if (value !== this.state[name]) {
        this.state[name] = value;
        control.show(value);
        changed.push(name);
      }
    }
    if (changed.length) this.onChange(changed);
  }

  address() {
    const query = new URLSearchParams(location.search);
    for (const [name, control] of this.controls) {
      query.delete(`${name}_in`);
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

class Control {
  constructor(root, spec) {
    this.root = root;
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
    this.slider.addEventListener('input', () => this.onInput(this.options[Number(this.slider.value)].value));
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

  show(value) {
    this.value = value;
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

  /** What an address asks for: its word, else the group that it names beside, else the default. */
  asked(query) {
    const words = [query.get(this.spec.name), query.get(`${this.spec.name}_in`)].filter(Boolean);
    return words.map((word) => this.find(word)).find(Boolean) ?? this.spec.default;
  }

  /** The option of this code or label; of a period also the year of a month, or the last month of a year. */
  find(word) {
    const exact = this.options.find((o) => o.value === word) ?? this.options.find((o) => o.label === word);
    if (exact || !this.spec.period || !/^\d{4}(-\d{2})?$/.test(word)) return exact?.value;
    return this.options.findLast((o) => o.value.startsWith(`${word}-`) || word.startsWith(`${o.value}-`))?.value;
  }
}
