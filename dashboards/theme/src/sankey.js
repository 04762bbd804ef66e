// Flows between areas as bands: origins to the left, destinations to the right. Loaded only where a page has them.
import { install as SankeyChart } from 'echarts/lib/chart/sankey/install.js';
import { TitleComponent } from 'echarts/components';
import { use } from 'echarts/core';
import { Drawing, MAKERS, tilesOf } from './charts.js';
import { element } from './dom.js';
import { figure, SUPPRESSED } from './formats.js';
import { colourOf } from './look.js';

use([SankeyChart, TitleComponent]);
export { Drawing, tilesOf };

const FROM = 'o:'; // an area is one node as an origin and another as a destination
const TO = 'd:';
const label = (node) => node.slice(2);

/** Bands of every published flow; hidden ones have no width to be seen, so they are counted in words. */
MAKERS.Sankey = (component, record, rows, { narrow, look }) => {
  const links = [];
  let hidden = 0;
  rows.forEach((row, to) =>
    row.forEach((value, from) => {
      if (value === SUPPRESSED) hidden += 1;
      else if (value > 0) links.push({ source: FROM + record.x[from], target: TO + record.s[to], value });
    }),
  );
  const used = new Set(links.flatMap(({ source, target }) => [source, target]));
  const nodes = [...record.x.map((name) => FROM + name), ...record.s.map((name) => TO + name)].filter((name) => used.has(name));
  const tone = (name) => colourOf(look, record.x.indexOf(label(name)));
  const ends = (name) => ({ name, itemStyle: { color: name.startsWith(FROM) ? tone(name) : look.muted }, label: { position: name.startsWith(FROM) ? 'left' : 'right' } });
  const room = narrow ? 64 : 84;
  return {
    animation: false,
    grid: undefined,
    legend: undefined,
    title: hidden ? { text: `秘匿のため描いていない流れ ${hidden}本`, left: 'center', bottom: 0, textStyle: { fontSize: 12, fontWeight: 'normal', color: look.muted, fontFamily: look.font } } : undefined,
    tooltip: { trigger: 'item', confine: true, className: 'lounge-tooltip', formatter: ({ dataType, data, name, value }) => told(component, dataType, data, name, value) },
    series: [
      {
        type: 'sankey',
        left: room,
        right: room,
        top: 8,
        bottom: hidden ? 28 : 8,
        nodeGap: narrow ? 6 : 10,
        nodeWidth: 12,
        layoutIterations: 0,
        draggable: false,
        emphasis: { focus: 'adjacency' },
        data: nodes.map(ends),
        links,
        label: { color: look.ink, fontSize: narrow ? 12 : 13, fontFamily: look.font, formatter: ({ name }) => label(name) },
        lineStyle: { color: 'source', opacity: 0.35, curveness: 0.5 },
      },
    ],
  };
};

function told(component, kind, data, name, value) {
  if (kind === 'edge') {
    const flow = `${label(data.source)} → ${label(data.target)}`;
    return element('div', {}, element('div', {}, element('span', {}, flow), element('b', {}, figure(value, component))));
  }
  return element('div', {}, element('p', {}, `${label(name)}${name.startsWith(FROM) ? 'から' : 'へ'}`));
}
