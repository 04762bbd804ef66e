// What the portal server does for its reader: the site's own reader.json says nothing, the server's holds a form token,
// favourites with their news, the portal's screens, and what changed on this page.
let told;

/** The page that is read. */
export const slug = () => location.pathname.match(/([a-z][a-z0-9_]*)\.html$/)?.[1] ?? 'index';

/** What the server tells of the reader; {} where a copy of the site is read without it. */
export const reader = () =>
  (told ??= fetch(`reader.json?page=${slug()}`).then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({})));

/** Ask the server for something, as a form of its own pages would. Throws with its words where it refuses. */
export async function ask(path, values) {
  const { csrf = '' } = await reader();
  const answer = await fetch(path, { method: 'POST', headers: { accept: 'application/json' }, body: new URLSearchParams({ ...values, csrf }) });
  if (!answer.ok) throw new Error(answer.status < 500 ? await answer.text() : '');
  return answer.json();
}
