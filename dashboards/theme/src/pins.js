// 「くらべる」: up to four values of a filter side by side, the reader's choice and those that were pinned.
import { element } from './dom.js';

export const MOST = 4;

/** A button beside a filter, and what is pinned; `act(values)` takes the pinned ones. */
export class Pins {
  constructor(control, act) {
    this.control = control;
    this.act = act;
    this.button = element('button', { type: 'button', class: 'lounge-pin' }, 'くらべる');
    this.told = element('span', { role: 'status' });
    this.list = element('span', { class: 'lounge-pins__list' });
    control.root.append(element('div', { class: 'lounge-pins' }, this.button, this.list, this.told));
    this.button.addEventListener('click', () => this.act(withOne(this.values, this.chosen)));
  }

  show(values, chosen) {
    Object.assign(this, { values, chosen });
    const title = this.control.title;
    const full = compared(values, chosen).length >= MOST;
    this.button.disabled = full || values.includes(chosen);
    this.button.setAttribute('aria-label', `${this.control.label(chosen)}をくらべる${title}に加える`);
    this.list.replaceChildren(...values.map((value) => this.chip(value)));
    this.told.textContent = told(values, chosen, title, full);
  }

  chip(value) {
    const label = this.control.label(value);
    const chip = element('button', { type: 'button', 'aria-label': `${label}をくらべるのをやめる` }, `${label} ×`);
    chip.addEventListener('click', () => {
      this.act(this.values.filter((one) => one !== value));
      this.button.focus();
    });
    return chip;
  }
}

/** What stands side by side: the choice, then what is pinned. */
export const compared = (values, chosen) => [...new Set([chosen, ...values])].slice(0, MOST);

export const withOne = (values, one) => (values.includes(one) ? values : [...values, one].slice(0, MOST));

function told(values, chosen, title, full) {
  if (values.length === 1 && values[0] === chosen) return `ほかの${title}を選ぶと、並べて表示します。`;
  return full ? `${MOST}つまでくらべられます。` : '';
}
