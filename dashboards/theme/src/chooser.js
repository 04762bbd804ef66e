// Buttons above a chart of which one is pressed; the choice is in the address under a name of the chart's own.
import { element } from './dom.js';

/** `name` is that in the address, `label` tells what is chosen; `show(options)` offers values and their words. */
export class Chooser {
  constructor(root, name, label, act) {
    Object.assign(this, { name, label, act, options: [] });
    this.group = element('div', { class: 'lounge-views', role: 'group', 'aria-label': label });
    root.querySelector('figcaption').after(this.group);
    addEventListener('popstate', () => this.mark());
  }

  show(options) {
    if (JSON.stringify(options) === JSON.stringify(this.options)) return;
    this.options = options;
    const buttons = options.map(([value, word]) => {
      const button = element('button', { type: 'button', 'data-value': value }, word);
      button.addEventListener('click', () => this.take(value));
      return button;
    });
    this.group.replaceChildren(...buttons);
    this.mark();
  }

  /** What the address asks for, where it is offered. */
  get asked() {
    const word = new URLSearchParams(location.search).get(this.name);
    return this.options.some(([value]) => value === word) ? word : '';
  }

  /** What it asks for and is not offered: [word, where, what is shown]. */
  get lost() {
    const word = new URLSearchParams(location.search).get(this.name);
    return word && word !== this.asked ? [[word, `「${this.label}」`, `「${this.options[0]?.[1]}」を表示しています`]] : [];
  }

  take(value) {
    if (value === this.asked) return;
    const query = new URLSearchParams(location.search);
    if (value) query.set(this.name, value);
    else query.delete(this.name);
    history.pushState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`);
    this.mark();
    this.act();
  }

  mark() {
    for (const button of this.group.children) button.setAttribute('aria-pressed', String(button.dataset.value === this.asked));
  }
}
