// Slides of what is shown: one native chart each, which PowerPoint edits, with title, source and date. Loaded on demand.
import JSZip from 'jszip';
import PptxGenJS from 'pptxgenjs';
import { citation, ruleOf } from './citing.js';
import { contentOf, hasHidden } from './content.js';
import { SUPPRESSED } from './formats.js';
import { placeLabel } from './periods.js';
import { stacked } from './stacks.js';
import './shared.js';

export const KINDS = { LineChart: 'line', AreaChart: 'area', BarChart: 'bar', Pyramid: 'bar' };
const FONT = 'Meiryo UI';
const EMPTY_POINT = /<c:pt idx="\d+"><c:v><\/c:v><\/c:pt>/g;
const MOST_NAMED = 12; // hidden places that a slide names

/** A presentation with a slide for each view that a native chart can show. */
export async function slidesOf(views, told, address, colours) {
  const deck = new PptxGenJS();
  deck.layout = 'LAYOUT_WIDE';
  deck.title = told.page;
  deck.author = told.owner || told.site;
  for (const view of views.flatMap(panelsOf)) addSlide(deck, view, told, address, colours);
  return withoutEmptyPoints(await deck.write({ outputType: 'arraybuffer' }));
}

/** A slide for each chart that stands beside others. */
export function panelsOf(view) {
  if (!view.shown?.panels) return [view];
  const named = ({ label, component }) => ({ ...component, title: `${component.title} ${label}` });
  return view.shown.panels.flatMap((panel) => (panel.rows ? [{ choices: view.choices, component: named(panel), record: panel.record, rows: panel.rows }] : []));
}

function addSlide(deck, view, told, address, colours) {
  const { title, unit } = view.component;
  const slide = deck.addSlide();
  const span = { x: 0.5, w: 12.3, fontFace: FONT, color: '1A1A1C' };
  slide.addText(`${told.isSynthetic ? '【合成データ】' : ''}${title}${unit ? `（単位：${unit}）` : ''}`, { ...span, y: 0.3, h: 0.6, fontSize: 24, bold: true });
  if (view.choices.length) slide.addText(view.choices.join('　'), { ...span, y: 0.9, h: 0.4, fontSize: 14 });
  const series = seriesOf(view);
  slide.addChart(KINDS[view.component.kind], series, { x: 0.5, y: 1.3, w: 12.3, h: 5, ...optionsOf(view, series, colours(series.length)) });
  slide.addText(footOf(view, told, address), { ...span, y: 6.4, h: 0.9, fontSize: 11, color: '626264', valign: 'top' });
}

/** The drawn series: names, places and figures; what is hidden or absent has none. Men of a pyramid count to the left. */
export function seriesOf(view) {
  const { component, record, rows } = view;
  const drawn = stacked(component, record, rows);
  const labels = record.x.map((x) => placeLabel(x, component.opts));
  const sign = (at) => (component.kind === 'Pyramid' && at === 0 ? -1 : 1);
  return drawn.rows.map((row, at) => ({
    name: drawn.names[at] || component.heads[1] || component.title,
    labels,
    values: row.map((value) => (typeof value === 'number' ? sign(at) * value : null)),
  }));
}

/** How PowerPoint draws them. */
export function optionsOf({ component }, series, colours) {
  const lies = component.kind === 'Pyramid' || Boolean(component.opts.horizontal);
  const piles = component.kind === 'Pyramid' || component.kind === 'AreaChart' || Boolean(component.opts.stacked);
  const digits = component.opts.total ? 1 : (component.digits ?? 0);
  const format = `#,##0${digits ? `.${'0'.repeat(digits)}` : ''}`;
  return {
    barDir: lies ? 'bar' : 'col',
    barGrouping: piles ? 'stacked' : 'clustered',
    ...(component.kind === 'Pyramid' ? { barOverlapPct: 100 } : {}),
    ...(lies && component.kind !== 'Pyramid' ? { catAxisOrientation: 'maxMin' } : {}),
    chartColors: colours,
    showLegend: series.length > 1,
    legendPos: 'b',
    legendFontFace: FONT,
    catAxisLabelFontFace: FONT,
    valAxisLabelFontFace: FONT,
    catAxisLabelFontSize: 11,
    catAxisLabelPos: 'low',
    valAxisLabelFontSize: 11,
    valAxisLabelFormatCode: component.kind === 'Pyramid' ? `${format};${format}` : format,
    lineSize: 2,
    lineDataSymbol: 'none',
    displayBlanksAs: 'gap',
  };
}

/** Source, date and address; where something is hidden, the rule and the places. */
function footOf(view, told, address) {
  const content = contentOf(view);
  const lines = [citation(told, view.component.title || told.page, view.choices), address];
  if (hasHidden(content)) lines.unshift(`${ruleOf(told)} この図の秘匿：${hiddenPlaces(content)}`);
  return lines.join('\n');
}

export function hiddenPlaces({ heads, lines }) {
  const places = lines.flatMap((line) => line.flatMap((value, at) => (value === SUPPRESSED ? [heads.length > 2 ? `${line[0]} ${heads[at]}` : line[0]] : [])));
  return places.slice(0, MOST_NAMED).join('、') + (places.length > MOST_NAMED ? ` ほか${places.length - MOST_NAMED}か所` : '');
}

/** A place without a figure has no point at all: an empty one is a number that readers of the file cannot read. */
async function withoutEmptyPoints(written) {
  const zip = await JSZip.loadAsync(written);
  const charts = Object.keys(zip.files).filter((name) => /^ppt\/charts\/chart\d+\.xml$/.test(name));
  for (const name of charts) zip.file(name, (await zip.file(name).async('string')).replace(EMPTY_POINT, ''));
  return zip.generateAsync({ type: 'blob', compression: 'DEFLATE', mimeType: 'application/vnd.openxmlformats-officedocument.presentationml.presentation' });
}

/** Colours of series as PowerPoint writes them: RRGGBB. */
export const coloursBy = (look) => (count) => look.colours.slice(0, Math.max(count, 1)).map((colour) => colour.replace('#', '').toUpperCase());
