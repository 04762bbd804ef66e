// The reader's own favourites: slugs in local storage. Where storage is blocked they last as long as the page.
const KEY = 'kobe-lounge-favourites';
let slugs = read();

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
      slugs = isFavourite(slug) ? slugs.filter((one) => one !== slug) : [...slugs, slug];
      keep();
      show();
    });
  }
  addEventListener('storage', (event) => {
    if (event.key !== KEY && event.key !== null) return;
    slugs = read();
    show();
  });
  show();
}
