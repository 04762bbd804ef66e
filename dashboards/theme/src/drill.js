// A ward opened to its districts in place: breadcrumbs lead back, the place is in the address (`?c5.in=灘区`).
import { element } from './dom.js';

/** From the top down to a place. */
export function pathTo(place, { root, up }) {
  const path = [place];
  while (path[0] !== root && up[path[0]] !== undefined && path.length < 20) path.unshift(up[path[0]]);
  return path;
}

/** Places that can be opened from another. */
export const under = (place, { up }) => Object.keys(up).filter((one) => up[one] === place);

export class Drill {
  constructor(root, { title, opts }, act) {
    this.places = opts.drill;
    this.title = title;
    this.act = act;
    this.nav = element('nav', { class: 'lounge-drill', 'aria-label': `${title}：表示している範囲` });
    root.querySelector('figcaption').after(this.nav);
    addEventListener('popstate', () => this.show());
    this.show();
  }

  /** The place that the address asks for; the top where it has none of that name. */
  get at() {
    const word = new URLSearchParams(location.search).get(this.places.name);
    return Object.hasOwn(this.places.up, word ?? '') ? word : this.places.root;
  }

  /** What the address asks for and this chart does not have: [word, where, what is shown]. */
  get lost() {
    const word = new URLSearchParams(location.search).get(this.places.name);
    return word && word !== this.at ? [[word, `「${this.title}」の地域`, `「${this.at}」を表示しています`]] : [];
  }

  get state() {
    return { [this.places.name]: this.at };
  }

  opens(place) {
    return this.places.up[place] === this.at;
  }

  /** Show the rows under a place: one below, or one of the way back. */
  open(place) {
    if (place === this.at) return;
    const query = new URLSearchParams(location.search);
    if (place === this.places.root) query.delete(this.places.name);
    else query.set(this.places.name, place);
    history.pushState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`);
    this.show();
    this.act();
  }

  show() {
    const path = pathTo(this.at, this.places);
    const crumbs = path.map((place, depth) => element('li', {}, depth === path.length - 1 ? element('span', { 'aria-current': 'true' }, place) : this.crumb(place)));
    const below = under(this.at, this.places);
    this.nav.replaceChildren(element('ol', {}, ...crumbs), ...(below.length ? [this.list(below)] : []));
  }

  crumb(place) {
    const button = element('button', { type: 'button' }, place);
    button.addEventListener('click', () => {
      this.open(place);
      this.nav.querySelector('select, button')?.focus();
    });
    return button;
  }

  list(places) {
    const list = element('select', { 'aria-label': '内訳を見る地域' }, element('option', { value: '' }, '内訳を見る…'), ...places.map((place) => element('option', { value: place }, place)));
    list.addEventListener('change', () => {
      if (!list.value) return;
      this.open(list.value);
      this.nav.querySelector('button')?.focus();
    });
    return list;
  }
}
