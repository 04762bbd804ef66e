// A chart as a drawing of its own (SVG) with title, choices, source and what 「X」 means. Loaded on demand.
import { init } from 'echarts/lib/core/echarts.js';
import { draw, sharedAxis } from './axes.js';
import { citation, ruleOf } from './citing.js';
import { contentOf, hasHidden } from './content.js';
import { whiteLook } from './look.js';
import './charts.js'; // one file with it

const [WIDTH, HEIGHT, HEAD, LINE] = [1200, 640, 84, 26];
const plain = (text) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);

export async function vectorOf(view, told) {
  const look = whiteLook();
  const tiles = (await view.tiles())(view.shown, WIDTH, HEIGHT, look);
  const places = tiles.map(() => document.createElement('div'));
  const drawings = tiles.map(({ width, height, option }, at) => {
    const drawing = init(places[at], null, { renderer: 'svg', width, height });
    draw(drawing, option, look);
    return drawing;
  });
  const shared = sharedAxis(drawings);
  const inner = tiles.map(({ x, y, label, option }, at) => {
    if (shared && option.series) draw(drawings[at], option, look, shared);
    drawings[at].getZr().flush();
    const drawn = places[at].querySelector('svg');
    drawn.setAttribute('x', x);
    drawn.setAttribute('y', HEAD + y);
    const text = new XMLSerializer().serializeToString(drawn); // the library's own text leaves quotes of font names bare
    drawings[at].dispose();
    const name = label ? `<text x="${x + 16}" y="${HEAD + y - 8}" font-size="15" font-weight="700" fill="${look.ink}">${plain(label)}</text>` : '';
    return name + text;
  });
  return new Blob([framed(inner.join('\n'), view, told, look)], { type: 'image/svg+xml' });
}

function framed(inner, view, told, look) {
  const { title, unit } = view.component;
  const heading = `${told.isSynthetic ? '【合成データ】' : ''}${title}${view.covered ? ` ${view.covered}` : ''}${unit ? `（単位：${unit}）` : ''}`;
  const notes = [...(hasHidden(contentOf(view)) ? [ruleOf(told)] : []), citation(told, title)];
  const height = HEAD + HEIGHT + notes.length * LINE + 16;
  const text = (words, y, size, weight) => `<text x="16" y="${y}" font-size="${size}" font-weight="${weight}" fill="${look.ink}">${plain(words)}</text>`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif">`,
    `<title>${plain(heading)}</title><rect width="100%" height="100%" fill="${look.ground}"/>`,
    text(heading, 36, 22, 700),
    text(view.choices.join('　'), 66, 16, 400),
    inner,
    ...notes.map((note, at) => text(note, HEAD + HEIGHT + (at + 1) * LINE, Math.min(14, (WIDTH - 32) / note.length), 400)),
    '</svg>',
  ];
  return parts.join('\n');
}
