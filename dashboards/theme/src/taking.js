// What readers take away: workbook, slides, drawing, address, a line to quote. What writes files is loaded when asked for.
import { about, citation } from './citing.js';
import { fileName, nameOf } from './content.js';
import { element } from './dom.js';
import { whiteLook } from './look.js';
import { ask, reader } from './reader.js';

const SLIDES = new Set(['LineChart', 'AreaChart', 'BarChart', 'Pyramid']);
const save = (blob, name) => {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
};

/** Further forms below a figure. */
export function addTaking(bar, view) {
  const forms = menu('ほかの形式', {
    'Excel（.xlsx）': () => saveWorkbook([view], nameOf(view, 'xlsx')),
    ...(SLIDES.has(view.component.kind) ? { 'PowerPoint（.pptx）': () => saveSlides([view], nameOf(view, 'pptx')) } : {}),
    ...(view.isChart ? { '図（SVG）': async () => (await import('./vector.js')).vectorOf(view, about()).then((blob) => save(blob, nameOf(view, 'svg'))) } : {}),
    引用をコピー: (told) => copy(`${citation(about(), view.component.title, view.choices)}、${location.href}`, told),
  });
  bar.append(forms);
}

/** The page as a whole, among the links of its head. */
export function addPageTaking(list, page) {
  const shown = () => page.views.filter((view) => view.isSaved && view.rows);
  const name = (kind) => `${fileName([document.title.split(' - ')[0], ...page.choices()])}.${kind}`;
  const forms = menu('保存・引用', {
    'すべての図をExcelで': () => saveWorkbook(shown(), name('xlsx')),
    'すべてのグラフをPowerPointで': () => saveSlides(shown().filter((view) => SLIDES.has(view.component.kind)), name('pptx')),
    画面のURLをコピー: async (told) => copy(await shortAddress(), told),
    引用をコピー: (told) => copy(`${citation(about(), about().page, page.choices())}、${location.href}`, told),
  });
  list.append(element('li', {}, forms));
}

async function saveWorkbook(views, name) {
  const { workbookOf } = await import('./workbook.js');
  save(await workbookOf(views, about(), location.href), name);
}

async function saveSlides(views, name) {
  const { slidesOf, coloursBy } = await import('./slides.js');
  save(await slidesOf(views.filter(({ rows }) => rows), about(), location.href, coloursBy(whiteLook())), name);
}

/** The page's address with its choices: short where the portal server keeps it, as it is in a copy of the site. */
async function shortAddress() {
  const { pathname, search, hash } = location;
  if (!(await reader()).csrf || !search) return location.href;
  try {
    return `${location.origin}${(await ask('/s', { address: `${pathname}${search}${hash}` })).path}`;
  } catch {
    return location.href;
  }
}

/** Text for another document; where a browser refuses, it stands there to be copied by hand. */
async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    told.textContent = 'コピーしました。';
  } catch {
    told.textContent = text;
  }
}

/** Buttons that open below a word; what became of the last one is told beside them. */
function menu(word, acts) {
  const told = element('span', { role: 'status' });
  const buttons = Object.entries(acts).map(([text, act]) => {
    const button = element('button', { type: 'button', class: 'lounge-save' }, text);
    button.addEventListener('click', async () => {
      button.disabled = true;
      told.textContent = '';
      try {
        await act(told);
      } catch {
        told.textContent = '保存できませんでした。画面を開き直して、もう一度お試しください。';
      } finally {
        button.disabled = false;
      }
    });
    return button;
  });
  const forms = element('p', { hidden: true }, ...buttons, told);
  const opener = element('button', { type: 'button', class: 'lounge-save', 'aria-expanded': 'false' }, word);
  opener.addEventListener('click', () => {
    forms.hidden = !forms.hidden;
    opener.setAttribute('aria-expanded', String(!forms.hidden));
  });
  return element('div', { class: 'lounge-forms' }, opener, forms);
}
