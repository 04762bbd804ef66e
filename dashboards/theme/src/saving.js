// What is on the screen, as a file: CSV for spreadsheets, the chart as a picture. Nothing leaves the browser.
import { about, citation, ruleOf } from './citing.js';
import { contentOf, hasHidden, nameOf } from './content.js';
import { element } from './dom.js';
import { SUPPRESSED } from './formats.js';
import { whiteLook } from './look.js';
import { addTaking } from './taking.js';

const MARK = '\ufeff'; // spreadsheets take a file that begins with it for UTF-8
const WIDTH = 1200;
const HEIGHT = 640;
const HEAD = 72;
const LINE = 40;

/** Buttons below a figure; `view` knows what it shows. */
export function addSaving(view) {
  const bar = element('div', { class: 'lounge-saving' });
  addButton(bar, 'CSVで保存', () => saveCsv(view));
  if (view.isChart) addButton(bar, '画像で保存', () => savePicture(view), 'lounge-save--picture');
  addTaking(bar, view);
  view.root.append(bar);
}

export function addButton(place, text, act, kind = '') {
  const button = element('button', { type: 'button', class: `lounge-save ${kind}`.trim() }, text);
  button.addEventListener('click', act);
  place.append(button);
}

export function saveCsv(view) {
  if (view.rows) save(csvOf(view), nameOf(view, 'csv'));
}

export async function savePicture(view) {
  if (view.rows) save(await pictureOf(view), nameOf(view, 'png'));
}

function csvOf(view) {
  const { heads, lines } = contentOf(view);
  return new Blob([MARK, ...[heads, ...lines].map((line) => `${line.map(field).join(',')}\r\n`)], { type: 'text/csv' });
}

/** What a spreadsheet computes when a text begins with it: full-width signs too, as Japanese spreadsheets read them. */
const COMPUTED = /^[=+\-@＝＋－＠−\t\r\n]/;

/** Figures as digits, 「X」 as X, what is not there as nothing; a text never begins what a spreadsheet would compute. */
export function field(value) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = value === SUPPRESSED ? 'X' : String(value);
  const plain = COMPUTED.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** The chart on white ground with its title, drawn anew on a canvas. */
async function pictureOf(view) {
  const [{ canvasesOf }, tilesOf] = await Promise.all([import('./picture.js'), view.tiles()]);
  const told = about();
  const look = whiteLook();
  const notes = [...(view.choices.length ? [view.choices.join('  ')] : []), ...(hasHidden(contentOf(view)) ? [ruleOf(told)] : []), citation(told, view.component.title)];
  const tiles = tilesOf(view.shown, WIDTH, HEIGHT, look);
  const height = HEIGHT * 2;
  const sheet = element('canvas', { width: WIDTH * 2, height: height + HEAD + 24 + notes.length * LINE });
  const pen = sheet.getContext('2d');
  pen.fillStyle = look.ground;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.fillStyle = look.ink;
  pen.font = `bold 40px ${look.font}`;
  const unit = view.component.unit ? `（単位：${view.component.unit}）` : '';
  const made = told.isSynthetic ? '【合成データ】' : '';
  pen.fillText(`${made}${view.component.title ?? ''}${view.covered ? ` ${view.covered}` : ''}${unit}`, 32, 56, sheet.width - 64);
  canvasesOf(tiles, look).forEach((canvas, at) => pen.drawImage(canvas, tiles[at].x * 2, HEAD + tiles[at].y * 2));
  pen.font = pen.font.replace('bold 40px', '26px');
  for (const { label, x, y } of tiles) pen.fillText(label, x * 2 + 32, HEAD + y * 2 - 16);
  notes.forEach((note, at) => pen.fillText(note, 32, HEAD + height + (at + 1) * LINE, sheet.width - 64));
  return new Promise((done) => sheet.toBlob(done, 'image/png'));
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = element('a', { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
