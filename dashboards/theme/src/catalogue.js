// The portal's catalogue: free words (all must be found), category, purpose, favourites and new pages.
import { isFavourite, startFavourites } from './favourites.js';
import { fold } from './folding.js';

const AGAIN = [1000, 2000, 4000]; // milliseconds until an index that did not come is asked for again

export async function startCatalogue(root) {
  const input = root.querySelector('input');
  const count = root.querySelector('.lounge-count');
  const cards = [...root.querySelectorAll('.lounge-entry')];
  const list = root.querySelector('.lounge-cards');
  const none = root.querySelector(':scope > .lounge-empty');
  const place = root.querySelector('.lounge-results ol');
  let results;
  let failed = 0;
  let figures = { pages: new Set(), count: 0 };
  /** The results of what is typed; their code and words are loaded with the first letter. */
  async function search() {
    if (!results && !input.value.trim()) return;
    try {
      results ??= import('./results.js').then(({ Results }) => new Results(place));
      const found = await (await results).show(input.value);
      if (!found) return;
      figures = found;
      failed = 0;
    } catch {
      // Titles are searched still; the next letter tries again, and so does time.
      results = undefined;
      figures = { pages: new Set(), count: 0 };
      const asked = input.value;
      if (failed < AGAIN.length) setTimeout(() => input.value === asked && search(), AGAIN[failed++]);
    }
    show();
  }
  const chosen = { category: '', usage: '', only: '' };
  let entries = new Map();
  input.value ||= new URLSearchParams(location.search).get('q') ?? ''; // what was typed before this runs stays

  function show() {
    const words = input.value.split(/[\s　]+/).map(fold).filter(Boolean);
    let found = 0;
    for (const card of cards) {
      const { slug } = card.dataset;
      const entry = entries.get(slug);
      const hit =
        (!entry || words.every((word) => entry.text.includes(word)) || figures.pages.has(slug)) &&
        (!chosen.category || entry?.category === chosen.category) &&
        (!chosen.usage || entry?.usage.includes(chosen.usage)) &&
        (chosen.only !== 'favourite' || isFavourite(slug)) &&
        (chosen.only !== 'new' || 'new' in card.dataset);
      card.hidden = !hit;
      found += hit ? 1 : 0;
    }
    none.hidden = found > 0;
    count.textContent = `${cards.length}件中 ${found}件${figures.count ? `、図と数値 ${figures.count}件` : ''}`;
  }

  startFavourites(() => {
    showFavourites(cards);
    root.querySelector('[data-only="favourite"] b').textContent = cards.filter((c) => isFavourite(c.dataset.slug)).length;
    // Favourites first, the others in their order. A card that holds the focus is never moved itself.
    const first = cards.filter((card) => isFavourite(card.dataset.slug));
    const order = [...first, ...cards.filter((card) => !first.includes(card))];
    const held = cards.find((card) => card.contains(document.activeElement));
    const at = order.indexOf(held);
    if (at < 0) list.append(...order);
    else {
      held.before(...order.slice(0, at));
      held.after(...order.slice(at + 1));
    }
    show();
  });
  for (const button of root.querySelectorAll('.lounge-facets button')) {
    button.addEventListener('click', () => {
      const name = ['category', 'usage', 'only'].find((one) => one in button.dataset);
      const value = button.dataset[name];
      chosen[name] = chosen[name] === value ? '' : value;
      for (const other of root.querySelectorAll(`.lounge-facets button[data-${name}]`)) {
        other.setAttribute('aria-pressed', String(other.dataset[name] === chosen[name]));
      }
      show();
    });
  }
  input.addEventListener('input', () => {
    const query = new URLSearchParams(location.search);
    if (input.value) query.set('q', input.value);
    else query.delete('q');
    history.replaceState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`);
    figures = { pages: new Set(), count: 0 };
    failed = 0;
    show();
    search();
  });
  search();
  entries = new Map((await (await fetch('catalogue.json')).json()).map((entry) => [entry.slug, entry]));
  show();
}

/** The strip at the top of the portal: the favourites as links. */
function showFavourites(cards) {
  const strip = document.querySelector('.lounge-favourites');
  if (!strip) return;
  const links = cards
    .filter((card) => isFavourite(card.dataset.slug))
    .map((card) => {
      const item = document.createElement('li');
      item.append(card.querySelector('a').cloneNode(true));
      return item;
    });
  strip.querySelector('ul').replaceChildren(...links);
  strip.hidden = links.length === 0;
}
