// Two figures of each place as a point. Loaded only where a page has one.
import { install as ScatterChart } from 'echarts/lib/chart/scatter/install.js';
import { install as Title } from 'echarts/lib/component/title/install.js';
import { use } from 'echarts/lib/extension.js';
import { measure } from './axes.js';
import { Drawing, MAKERS, tilesOf } from './charts.js';
import { element } from './dom.js';
import { figure, SUPPRESSED } from './formats.js';
import { sidesOf } from './wording.js';

use([ScatterChart, Title]);
export { Drawing, tilesOf };

const NAMED = 24; // so many points are named where their names have room

/** A point where both figures are published; places with a hidden one are counted in words. */
MAKERS.Scatter = (component, record, [across, up], scene) => {
  const { look, narrow } = scene;
  const shown = record.x.map((_, at) => at).filter((at) => typeof across[at] === 'number' && typeof up[at] === 'number');
  const hidden = record.x.filter((_, at) => across[at] === SUPPRESSED || up[at] === SUPPRESSED).length;
  const [first, second] = component.formats;
  const sides = sidesOf(shown.map((at) => ({ name: record.x[at], across: across[at], up: up[at] })), scene.width - 60, scene.height - 80);
  const axis = (at, format, place) => ({ ...measure({ ...component, digits: format.digits }, scene, { scale: true, boundaryGap: ['4%', '4%'] }), name: record.s[at], ...place, nameTextStyle: { color: look.axis, fontSize: 12, ...place.nameTextStyle } });
  return {
    legend: undefined,
    grid: { left: 4, right: 24, top: 32, bottom: hidden ? 52 : 28, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    title: hidden ? { text: `秘匿のため描いていない点 ${hidden}`, left: 0, bottom: 0, textStyle: { fontSize: 12, fontWeight: 'normal', color: look.muted, fontFamily: look.font } } : undefined,
    tooltip: {
      trigger: 'item',
      confine: true,
      className: 'lounge-tooltip',
      formatter: ({ name, value }) =>
        element('div', {}, element('p', {}, name), ...record.s.map((word, at) => element('div', {}, element('span', {}, word), element('b', {}, figure(value[at], [first, second][at]))))),
    },
    xAxis: axis(0, first, { nameLocation: 'middle', nameGap: 26 }),
    yAxis: axis(1, second, { nameLocation: 'end', nameGap: 10, nameTextStyle: { align: 'left' } }),
    series: [
      {
        type: 'scatter',
        symbolSize: narrow ? 9 : 11,
        itemStyle: { color: look.colours[0], borderColor: look.ground, borderWidth: 1 },
        label: { show: shown.length <= NAMED, formatter: '{b}', color: look.ink, fontSize: 12, fontFamily: look.font },
        data: shown.map((at, i) => ({ name: record.x[at], value: [across[at], up[at]], label: { position: sides[i] } })),
      },
    ],
  };
};
