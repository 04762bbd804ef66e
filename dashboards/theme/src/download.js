// Buttons that an author placed: a query's rows, a chart of the page, the page on paper.
import { element } from './dom.js';
import { printPage } from './paper.js';
import { addButton, saveCsv, savePicture } from './saving.js';
import { addPageTaking } from './taking.js';

/** The button of a query's rows; `view` knows what it shows. */
export function startDownload(view) {
  addButton(view.root, view.component.title, () => saveCsv(view));
}

/** The buttons of charts and of the page. */
export function startDownloads(page) {
  for (const root of document.querySelectorAll('.lounge-download[data-as]')) {
    const { chart, label, as } = root.dataset;
    const view = chart && page.views.find((one) => one.component.title === chart && one.isSaved);
    for (const kind of as.split(' ')) {
      if (kind === 'print') addButton(root, label || 'このページを印刷・PDFで保存', () => printPage(page));
      else if (kind === 'csv') addButton(root, `${label || chart}（CSV）`, () => saveCsv(view));
      else if (view.isChart) addButton(root, `${label || chart}（画像）`, () => savePicture(view));
    }
  }
}

/** Among the links of a page's head: paper, and the files of the whole page. */
export function addPrinting(page) {
  const list = document.querySelector('.lounge-actions');
  if (!list) return;
  const button = element('button', { type: 'button', class: 'lounge-save' }, '印刷・PDFで保存');
  button.addEventListener('click', () => printPage(page));
  list.append(element('li', {}, button));
  addPageTaking(list, page);
}
