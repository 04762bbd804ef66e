// What the portal server tells its reader beside the figures: its screens, news of favourites, questions, changes of a page.
import { element } from './dom.js';
import { ask } from './reader.js';
import './shared.js';

/** Show what `reader.json` told; called only where the server serves the page. */
export function showNews(told, slug) {
  showMenu(told);
  showQuestions(slug);
  if (slug === 'index') showList(told);
  else if (!location.pathname.startsWith('/r/')) showChanges(told, slug); // a former release is no news
}

/** The portal's screens in the header, with marks where something waits for the reader. */
function showMenu({ menu = [], news = [], waiting = 0 }) {
  const nav = document.querySelector('.site-nav');
  if (!nav || !menu.length) return;
  const marks = { '/news': news.length, '/questions': waiting };
  const items = menu
    .filter(([, address]) => address !== '/')
    .map(([title, address]) => element('li', {}, element('a', { href: address }, marks[address] ? `${title}（${marks[address]}）` : title)));
  nav.append(element('details', { class: 'site-menu' }, element('summary', {}, 'メニュー'), element('ul', {}, ...items)));
}

/** A way to ask the owning section, among the links of the page's head. */
function showQuestions(slug) {
  const list = document.querySelector('.lounge-actions');
  const address = slug === 'index' ? '/questions' : `/questions?page=${slug}`;
  list?.append(element('li', {}, element('a', { href: address }, slug === 'index' ? '質問と回答' : '質問・意見')));
}

/** On the portal: favourites whose figures changed, and questions that wait for an answer. */
function showList({ news = [], waiting = 0 }) {
  const place = document.querySelector('.lounge-favourites');
  if (!place || (!news.length && !waiting)) return;
  const items = news.map(({ page, title, text }) => element('li', {}, element('a', { href: `${page}.html` }, title), ` ${text}`));
  if (waiting) items.push(element('li', {}, element('a', { href: '/questions' }, `回答を待っている質問が${waiting}件あります`)));
  const seen = element('button', { type: 'button', class: 'lounge-save' }, '確認しました');
  const box = element('section', { class: 'lounge-reader', 'aria-label': 'あなたへのお知らせ' }, element('b', {}, news.length ? 'お気に入りの更新' : 'あなたへのお知らせ'), element('ul', {}, ...items), ...(news.length ? [seen] : []));
  seen.addEventListener('click', async () => {
    seen.disabled = true;
    try {
      await ask('/favourites', { seen: news.map(({ page }) => page).join(' ') });
      box.remove();
    } catch {
      seen.disabled = false;
    }
  });
  place.after(box);
}

/** On a page: what changed since the former release; a favourite's change is known once the page was opened. */
function showChanges({ changed, news = [] }, slug) {
  const mine = news.find(({ page }) => page === slug);
  if (mine) ask('/favourites', { seen: slug }).catch(() => {});
  const text = mine?.text ?? changed?.text;
  if (!text) return;
  const since = mine ? '前に確認したときからの変更' : `前の版（第${changed.former}版）からの変更`;
  const link = element('a', { href: 'releases.html' }, '版と訂正');
  document.querySelector('.lounge-head .lounge-state')?.after(element('p', { class: 'lounge-changed' }, `${since}：${text} `, link));
}
