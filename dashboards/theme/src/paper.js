// Paper: every figure is drawn before the page is printed, at the width of the paper, whatever was scrolled to.
import { forgetLook } from './look.js';

const PRINTING = 'is-printing';
const root = document.documentElement;

/** Print when every figure stands; the button's way, which may wait for what is not there yet. */
export async function printPage(page) {
  await page.ready;
  await page.loadCharts();
  window.print();
}

/** Lay pages out for paper and back, however printing was asked for. `beforeprint` cannot wait, so all is drawn at once. */
export function followPrinting(page) {
  addEventListener('beforeprint', () => {
    root.classList.add(PRINTING);
    forgetLook();
    for (const view of page.views) view.complete();
  });
  addEventListener('afterprint', () => {
    root.classList.remove(PRINTING);
    forgetLook();
    for (const view of page.views) view.return();
  });
}
