// Reference lines and annotations over a chart. They stand on a series of their own that draws nothing else.
import { figure } from './formats.js';
import { levelFormat, span } from './levels.js';

const AXIS_WORDS = 160; // pixels of the words above a cut axis

/** The series that carries them; `look` gives its colours. The names of upright lines stand along them on a narrow chart, and near its left, where
 * words above the axis may say that it does not begin at zero. */
export function guides(component, record, horizontal, look, { narrow = false, width = Infinity } = {}) {
  const { lines = [], notes = [] } = component.opts;
  const place = (x) => record.x.indexOf(x);
  const at = (index, y) => (horizontal ? [y, index] : [index, y]);
  const points = notes.filter((one) => one.y !== undefined && place(one.x) >= 0);
  const levels = [...lines.filter((one) => one.y !== undefined), ...points];
  const near = (x) => (place(x) / record.x.length) * (width - 60) < AXIS_WORDS;
  const upright = lines.filter((one) => one.x !== undefined && place(one.x) >= 0);
  const spans = notes.filter((one) => one.to !== undefined).map((one) => ({ ...one, ends: span(record.x, one) }));
  const text = { color: look.ink, fontSize: 12, backgroundColor: `${look.ground}d9`, padding: [1, 3], borderRadius: 2 };
  const along = horizontal ? 'yAxis' : 'xAxis';
  const across = horizontal ? 'xAxis' : 'yAxis';
  return {
    type: 'line',
    data: levels.map((one) => at(Math.max(0, place(one.x)), one.y)),
    symbol: 'none',
    lineStyle: { opacity: 0 },
    silent: true,
    animation: false,
    z: 6,
    markLine: {
      symbol: 'none',
      silent: true,
      animation: false,
      lineStyle: { color: look.ink, width: 1.5, type: [5, 4] },
      data: [
        ...lines.filter((one) => one.y !== undefined).map((one) => ({
          [across]: one.y,
          label: { ...text, formatter: () => `${one.label} ${figure(one.y, levelFormat(component))}`, ...(horizontal ? { position: 'start', distance: 2 } : { position: 'insideEndTop' }) },
        })),
        ...upright.map((one) => ({
          [along]: place(one.x),
          label: { ...text, formatter: () => one.label, ...(horizontal || narrow || near(one.x) ? { position: 'insideEndTop' } : { position: 'end', distance: 2, align: side(record, place(one.x)) }) },
        })),
      ],
    },
    markArea: {
      silent: true,
      animation: false,
      itemStyle: { color: look.rule, opacity: 0.6 },
      data: spans.filter((one) => one.ends).map(({ label, ends }) => [
        { [along]: ends[0], label: { ...text, formatter: () => label, position: late(record, ends[0]) ? 'insideTopRight' : 'insideTopLeft' } },
        { [along]: ends[1] },
      ]),
    },
    markPoint: {
      symbol: 'circle',
      symbolSize: 9,
      silent: true,
      animation: false,
      itemStyle: { color: look.ground, borderColor: look.ink, borderWidth: 2 },
      data: points.map((one) => ({
        coord: at(place(one.x), one.y),
        label: { ...text, show: true, formatter: () => one.label, position: horizontal ? 'right' : 'top', ...(horizontal ? {} : { align: side(record, place(one.x)) }) },
      })),
    },
  };
}

/** The figures that an axis must reach for them to be seen. */
export const levelsOf = ({ opts }) => [...(opts.lines ?? []), ...(opts.notes ?? [])].map((one) => one.y).filter((y) => y !== undefined);

const late = (record, index) => index > record.x.length / 2;
const side = (record, index) => (late(record, index) ? 'right' : 'left');
