// A chart as a drawing of its own (SVG) with title, choices, source and what 「X」 means. Loaded on demand.
import { init } from 'echarts/core';
import { draw } from './axes.js';
import { citation, ruleOf } from './citing.js';
import { contentOf, hasHidden } from './content.js';
import { whiteLook } from './look.js';

const [WIDTH, HEIGHT, HEAD, LINE] = [1200, 640, 84, 26];
const plain = (text) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);

export async function vectorOf(view, told) {
  const chart = await view.ready();
  const look = whiteLook();
  const place = document.createElement('div');
  const drawing = init(place, null, { renderer: 'svg', width: WIDTH, height: HEIGHT });
  draw(drawing, { ...chart.option(view.record, view.rows, { width: WIDTH, height: HEIGHT, look }), animation: false }, look);
  drawing.getZr().flush();
  const drawn = place.querySelector('svg');
  drawn.setAttribute('y', HEAD);
  const inner = new XMLSerializer().serializeToString(drawn); // the library's own text leaves quotes of font names bare
  drawing.dispose();
  return new Blob([framed(inner, view, told, look)], { type: 'image/svg+xml' });
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
