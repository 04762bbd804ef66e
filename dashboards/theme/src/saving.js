// What is on the screen, as a file: CSV for spreadsheets, the chart as a picture. Nothing leaves the browser.
import { element } from './dom.js';
import { eraLabel } from './eras.js';
import { SUPPRESSED } from './formats.js';
import { placeLabel, withMonths } from './periods.js';

const MARK = '\ufeff'; // spreadsheets take a file that begins with it for UTF-8
const WIDTH = 1200;
const HEIGHT = 640;
const HEAD = 72;

/** Buttons below a figure; `view` knows what it shows. */
export function addSaving(view) {
  const bar = element('p', { class: 'lounge-saving' });
  addButton(bar, 'CSVで保存', () => saveCsv(view));
  if (view.isChart) addButton(bar, '画像で保存', () => savePicture(view), 'lounge-save--picture');
  view.root.append(bar);
}

export function addButton(place, text, act, kind = '') {
  const button = element('button', { type: 'button', class: `lounge-save ${kind}`.trim() }, text);
  button.addEventListener('click', act);
  place.append(button);
}

export function saveCsv(view) {
  if (view.rows) save(csvOf(view), `${nameOf(view)}.csv`);
}

export async function savePicture(view) {
  if (view.rows) save(await pictureOf(view), `${nameOf(view)}.png`);
}

/** The figure's title and the choices that it belongs to. */
function nameOf({ component, choices }) {
  return [component.title || 'データ', ...choices].join('_').replace(/[^\p{L}\p{N}_-]+/gu, '_');
}

function csvOf({ component, record, rows, flat: table, covered }) {
  const flat = Boolean(component.columns);
  const alone = !flat && record.s.length === 1 && record.s[0] === '';
  const heads = flat ? component.columns.map(({ head }) => head) : [component.heads[0], ...(alone ? [component.heads[1]] : record.s)];
  const lines = flat ? (table?.rows() ?? rows).map((row) => row.map((value, at) => (typeof value === 'string' ? withMonths(value, component.columns[at].era ? eraLabel(value) : value, component.opts) : value))) : record.x.map((x, at) => [placeLabel(x, component.opts), ...rows.map((row) => row[at])]);
  if (covered) [heads, ...lines].forEach((line, i) => line.push(i ? covered : '期間'));
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
  const [{ canvasOf }, chart] = await Promise.all([import('./picture.js'), view.ready()]);
  const drawn = canvasOf(chart.option(view.record, view.rows, { width: WIDTH, height: HEIGHT }), WIDTH, HEIGHT);
  const sheet = element('canvas', { width: drawn.width, height: drawn.height + 2 * HEAD });
  const pen = sheet.getContext('2d');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.fillStyle = '#1a1a1c';
  pen.font = `bold 40px ${getComputedStyle(document.body).fontFamily}`;
  const unit = view.component.unit ? `（単位：${view.component.unit}）` : '';
  const made = document.querySelector('.lounge-badge--synthetic') ? '【合成データ】' : '';
  pen.fillText(`${made}${view.component.title ?? ''}${view.covered ? ` ${view.covered}` : ''}${unit}`, 32, 56, sheet.width - 64);
  pen.font = pen.font.replace('bold 40px', '28px');
  pen.fillText([document.title, ...view.choices].join('  '), 32, sheet.height - 24, sheet.width - 64);
  pen.drawImage(drawn, 0, HEAD);
  return new Promise((done) => sheet.toBlob(done, 'image/png'));
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = element('a', { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
