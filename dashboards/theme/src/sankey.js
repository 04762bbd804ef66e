// Flows between areas as bands: origins to the left, destinations to the right. Loaded only where a page has them.
import { install as SankeyChart } from 'echarts/lib/chart/sankey/install.js';
import { install as Title } from 'echarts/lib/component/title/install.js';
import { use } from 'echarts/lib/extension.js';
import { Drawing, MAKERS, tilesOf } from './charts.js';
import { element } from './dom.js';
import { areasOf, chosenFlows, toldFlows } from './flows.js';
import { figure } from './formats.js';
import { colourOf } from './look.js';

use([SankeyChart, Title]);
export { Drawing, tilesOf };

const FROM = 'o:'; // an area is one node as an origin and another as a destination
const TO = 'd:';
const label = (node) => node.slice(2);

/** Bands of the largest flows; those of the area that the reader looks at stand out, its own all drawn. */
MAKERS.Sankey = (component, record, rows, { narrow, look }) => {
  const { of } = component;
  const chosen = chosenFlows(record, rows, component.opts, of);
  const links = chosen.drawn.map(({ from, to, value }) => ({
    source: FROM + from,
    target: TO + to,
    value,
    lineStyle: { opacity: !of ? 0.45 : from === of || to === of ? 0.7 : 0.06 },
  }));
  const told = toldFlows(chosen);
  const used = new Set(links.flatMap(({ source, target }) => [source, target]));
  const nodes = [...record.x.map((name) => FROM + name), ...record.s.map((name) => TO + name)].filter((name) => used.has(name));
  const areas = areasOf(record);
  const ends = (name) => ({ name, itemStyle: { color: colourOf(look, areas.indexOf(label(name))) }, label: { position: name.startsWith(FROM) ? 'left' : 'right' } });
  const room = narrow ? 64 : 84;
  return {
    animation: false,
    grid: undefined,
    legend: undefined,
    title: told ? { text: told, left: 'center', bottom: 0, textStyle: { fontSize: 12, lineHeight: 16, width: narrow ? 300 : 900, overflow: 'break', fontWeight: 'normal', color: look.muted, fontFamily: look.font } } : undefined,
    tooltip: { trigger: 'item', confine: true, className: 'lounge-tooltip', formatter: ({ dataType, data, name, value }) => tellFlow(component, dataType, data, name, value) },
    series: [
      {
        type: 'sankey',
        left: room,
        right: room,
        top: 8,
        bottom: told ? (narrow ? 48 : 28) : 8,
        nodeGap: narrow ? 6 : 10,
        nodeWidth: 12,
        layoutIterations: 0,
        draggable: false,
        emphasis: { focus: 'adjacency', lineStyle: { opacity: 0.8 } },
        data: nodes.map(ends),
        links,
        label: { color: look.ink, fontSize: narrow ? 12 : 13, fontFamily: look.font, formatter: ({ name }) => label(name) },
        lineStyle: { color: 'source', curveness: 0.5 },
      },
    ],
  };
};

function tellFlow(component, kind, data, name, value) {
  if (kind === 'edge') {
    const flow = `${label(data.source)} → ${label(data.target)}`;
    return element('div', {}, element('div', {}, element('span', {}, flow), element('b', {}, figure(value, component))));
  }
  return element('div', {}, element('p', {}, `${label(name)}${name.startsWith(FROM) ? 'から' : 'へ'}`));
}
