// The portal's catalogue: free words (all must be found), category and usage.
import { fold } from './folding.js';

export async function startCatalogue(root) {
  const input = root.querySelector('input');
  const count = root.querySelector('.lounge-count');
  const cards = [...root.querySelectorAll('.lounge-entry')];
  const none = root.querySelector(':scope > .lounge-empty');
  const entries = new Map((await (await fetch('catalogue.json')).json()).map((entry) => [entry.slug, entry]));
  const chosen = { category: '', usage: '' };
  input.value = new URLSearchParams(location.search).get('q') ?? '';

  function show() {
    const words = input.value.split(/[\s　]+/).map(fold).filter(Boolean);
    let found = 0;
    for (const card of cards) {
      const entry = entries.get(card.dataset.slug);
      const hit =
        words.every((word) => entry.text.includes(word)) &&
        (!chosen.category || entry.category === chosen.category) &&
        (!chosen.usage || entry.usage.includes(chosen.usage));
      card.hidden = !hit;
      found += hit ? 1 : 0;
    }
    none.hidden = found > 0;
    count.textContent = `${cards.length}件中 ${found}件`;
  }

  for (const button of root.querySelectorAll('button')) {
    button.addEventListener('click', () => {
      const name = 'category' in button.dataset ? 'category' : 'usage';
      const value = button.dataset[name];
      chosen[name] = chosen[name] === value ? '' : value;
      for (const other of root.querySelectorAll(`button[data-${name}]`)) {
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
    show();
  });
  show();
}
