// Charts on a canvas instead of SVG: loaded when somebody saves a picture.
import { init } from 'echarts/lib/core/echarts.js';
import { use } from 'echarts/lib/extension.js';
import { install as CanvasRenderer } from 'echarts/lib/renderer/installCanvasRenderer.js';
import { draw, sharedAxis } from './axes.js';
import './charts.js'; // one file with it

use([CanvasRenderer]);

/** Canvases of tiles, twice as fine as the screen; several stand on one scale. */
export function canvasesOf(tiles, look) {
  const charts = tiles.map(({ width, height, option }) => {
    const chart = init(document.createElement('div'), null, { renderer: 'canvas', width, height });
    draw(chart, option, look);
    return chart;
  });
  const shared = sharedAxis(charts);
  return charts.map((chart, at) => {
    if (shared && tiles[at].option.series) draw(chart, tiles[at].option, look, shared);
    const canvas = chart.renderToCanvas({ pixelRatio: 2, backgroundColor: look.ground });
    chart.dispose();
    return canvas;
  });
}
