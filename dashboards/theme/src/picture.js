// A chart on a canvas instead of SVG: loaded when somebody saves a picture.
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { draw } from './axes.js';

use([CanvasRenderer]);

/** A canvas with a chart, twice as fine as the screen. */
export function canvasOf(option, width, height, look) {
  const chart = init(document.createElement('div'), null, { renderer: 'canvas', width, height });
  draw(chart, { ...option, animation: false }, look);
  const canvas = chart.renderToCanvas({ pixelRatio: 2, backgroundColor: look.ground });
  chart.dispose();
  return canvas;
}
