// The reader's favourites: of those who sign in kept by the portal server, else slugs in this browser's storage.
import { ask, reader } from './reader.js';

const KEY = 'kobe-lounge-favourites';
let slugs = read();
let signedIn = false;

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter((slug) => typeof slug === 'string') : [];
  } catch {
    return slugs ?? [];
  }
}

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify(slugs));
  } catch {
    // Storage is blocked or full: the choice holds until the page is left.
  }
}

export const isFavourite = (slug) => slugs.includes(slug);

/** Bring every star to work; `onChange` is called at once and whenever the favourites change. */
export function startFavourites(onChange) {
  const stars = [...document.querySelectorAll('[data-star]')];
  const show = () => {
    for (const star of stars) star.setAttribute('aria-pressed', String(isFavourite(star.dataset.star)));
    onChange(slugs);
  };
  for (const star of stars) {
    star.addEventListener('click', () => {
      const slug = star.dataset.star;
      const former = slugs;
      slugs = isFavourite(slug) ? slugs.filter((one) => one !== slug) : [...slugs, slug];
      show();
      if (!signedIn) keep();
      else {
        ask('/favourites', { [isFavourite(slug) ? 'add' : 'remove']: slug }).catch(() => {
          slugs = former; // the star shows what is kept
          show();
        });
      }
    });
  }
  addEventListener('storage', (event) => {
    if (signedIn || (event.key !== KEY && event.key !== null)) return;
    slugs = read();
    show();
  });
  show();
  bringToAccount(show).catch(() => {});
}

/** For those who sign in: what this browser kept goes to the account once, and the account's list is shown. */
async function bringToAccount(show) {
  const told = await reader();
  if (!told.csrf || !told.favourites) return;
  signedIn = true;
  const kept = slugs.filter((slug) => !told.favourites.includes(slug));
  slugs = kept.length ? (await ask('/favourites', { add: kept.join(' ') })).favourites : told.favourites;
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Storage is blocked: nothing lay there.
  }
  show();
}
