// Other ways to read a chart, where its page offers them: index, change on the year before, order by size.
import { element } from './dom.js';

const WORDS = { '': '実数', index: '指数', year: '前年からの増減', rank: '大きい順' };
const PLAIN = { rank: '既定の順' };

/** Buttons above a chart; the way is in the address (`?c3.view=index`). */
export class Views {
  constructor(root, { id, title, opts }, act) {
    this.name = `${id}.view`;
    this.offered = opts.views;
    this.buttons = ['', ...this.offered].map((view) => {
      const button = element('button', { type: 'button', 'data-view': view }, view ? WORDS[view] : (PLAIN[this.offered.join()] ?? WORDS['']));
      button.addEventListener('click', () => this.take(view));
      return button;
    });
    this.act = act;
    root.querySelector('figcaption').after(element('div', { class: 'lounge-views', role: 'group', 'aria-label': `${title}の見方` }, ...this.buttons));
    addEventListener('popstate', () => this.show());
    this.show();
  }

  /** What the address asks for. */
  get asked() {
    const word = new URLSearchParams(location.search).get(this.name);
    return this.offered.includes(word) ? word : '';
  }

  take(view) {
    if (view === this.asked) return;
    const query = new URLSearchParams(location.search);
    if (view) query.set(this.name, view);
    else query.delete(this.name);
    history.pushState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`);
    this.show();
    this.act();
  }

  show() {
    for (const button of this.buttons) button.setAttribute('aria-pressed', String(button.dataset.view === this.asked));
  }
}
