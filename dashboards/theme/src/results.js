// The results of the portal's search: what leads where, and the published figure where one cell answers.
import { element } from './dom.js';
import { figure, SUPPRESSED } from './formats.js';
import { placeLabel } from './periods.js';
import { addressOf, cellOf, find, MOST, prepared } from './search.js';
import { Slices } from './slices.js';
import './shared.js';

const HIDDEN = '（秘匿した値です。0ではありません）';

/** Results below the search box; `show(text)` follows what is typed. */
export class Results {
  constructor(place) {
    this.place = place;
    this.pages = new Map();
    this.turn = 0;
  }

  /** The index, loaded when somebody searches for the first time. */
  index() {
    if (!this.loading) {
      const loading = fetch('search.json').then(async (response) => {
        if (!response.ok) throw new Error(`search.json: ${response.status}`);
        return prepared(await response.json());
      });
      // The next search tries again: a restart of the server or an expired sign-in passes.
      loading.catch(() => (this.loading = undefined));
      this.loading = loading;
    }
    return this.loading;
  }

  /** Shows the best; resolves to their number and all pages that fit, or to nothing where more was typed meanwhile. */
  async show(text) {
    const turn = ++this.turn;
    const all = text.trim() ? find(await this.index(), text, Infinity) : [];
    if (turn !== this.turn) return undefined;
    const items = all.slice(0, MOST).map((result) => this.item(result, turn));
    this.place.replaceChildren(...items);
    this.place.parentElement.hidden = items.length === 0;
    return { count: items.length, pages: new Set(all.map(({ slug }) => slug)) };
  }

  item(result, turn) {
    const chosen = result.choices.map((one) => one.label).join('・');
    const name = [chosen, result.chart?.title].filter(Boolean).join(' ') || result.title;
    const told = element('span', { class: 'lounge-result__figure' });
    const page = name === result.title ? '' : result.title;
    const item = element('li', {}, element('a', { href: addressOf(result) }, element('b', {}, name), told, element('span', { class: 'lounge-result__page' }, page)));
    if (result.chart) this.tell(result, told, turn);
    return item;
  }

  /** The figure of a result, where one cell answers; nothing where the page cannot be read. */
  async tell(result, place, turn) {
    try {
      const spec = await this.spec(result.slug);
      const component = spec.components.find((one) => one.id === result.chart.id);
      const state = stateOf(spec, result.choices);
      const records = await spec.reading.load(state);
      const index = await this.index();
      const label = result.label === null ? undefined : index.terms[result.label][0];
      const cell = cellOf(component, records[component.id], state, label);
      if (!cell || cell.value === null || turn !== this.turn) return;
      const usual = usualOf(index, result, component, state);
      place.textContent = [...usual, words(component, cell, state, spec, label)].join(' ');
    } catch {
      place.textContent = '';
    }
  }

  /** What a page says of its charts and slices, read once. */
  spec(slug) {
    if (!this.pages.has(slug)) {
      const read = fetch(`${slug}.html`).then(async (response) => {
        const page = new DOMParser().parseFromString(await response.text(), 'text/html');
        const spec = JSON.parse(page.getElementById('lounge-spec').textContent);
        return { ...spec, reading: new Slices(spec) };
      });
      read.catch(() => this.pages.delete(slug));
      this.pages.set(slug, read);
    }
    return this.pages.get(slug);
  }
}

/** The choices that a page would open with: its own, but for those of the result, with what these stand under. */
function stateOf(spec, choices) {
  const state = Object.fromEntries(spec.filters.map((one) => [one.name, one.default]));
  for (const { filter, value } of choices) {
    state[filter] = value;
    const { parent, under } = spec.filters.find((one) => one.name === filter);
    if (parent && under?.[value] !== undefined) state[parent] = under[value];
  }
  return state;
}

/** The labels of the choices that a figure belongs to and nobody searched for: 神戸市. */
function usualOf(index, result, component, state) {
  const { filters } = index.pages.find((page) => page.slug === result.slug);
  return [component.slice, ...component.keys]
    .map((name) => filters.find((one) => one.name === name))
    .filter((one) => one && !one.period && !result.choices.some((choice) => choice.filter === one.name))
    .map((one) => index.lists[one.options].find(([value]) => value === state[one.name]))
    .filter(Boolean)
    .map(([, term]) => index.terms[term][0]);
}

function words(component, { value, period }, state, spec, label) {
  const { unit, digits, signed } = component;
  const text = value === SUPPRESSED ? `「X」${HIDDEN}` : figure(value, { unit, digits, signed });
  const chosen = spec.filters.find((one) => one.period);
  const when = period ?? (chosen ? state[chosen.name] : undefined);
  const beside = component.kind === 'BigValue' || !label ? '' : `${label} `;
  return `${beside}${text}${when ? ` ${placeLabel(when, component.opts)}` : ''}`;
}
