// How the figures of an axis read: one unit for all of them, and no more decimals than tell two of them apart.
const UNITS = [
  { name: '億', size: 1e8 },
  { name: '万', size: 1e4 },
];
const LONG = 10; // an axis that ends below so many of a unit is told in plain digits

/** Of the ticks of an axis: figure → text. A unit suits where its ticks need one decimal at most (198,700 stays, 21.5万 is told). */
export function tickText(ticks, { unsigned = false } = {}) {
  const step = leastStep(ticks);
  const largest = Math.max(0, ...ticks.map(Math.abs));
  const unit = UNITS.find(({ size }) => (largest >= size * LONG && step >= size / 10) || step >= size) ?? { name: '', size: 1 };
  const digits = decimals(step / unit.size);
  return (value) => {
    if (!Math.round(Math.abs(value / step) * 1e6)) return '0';
    const text = (Math.abs(value) / unit.size).toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return `${value < 0 && !unsigned ? '\u2212' : ''}${text}${unit.name}`;
  };
}

function leastStep(ticks) {
  const sorted = [...ticks].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((value, i) => value - sorted[i]).filter((gap) => gap > 0);
  return gaps.length ? Math.min(...gaps) : Math.abs(sorted[0]) || 1;
}

/** Decimals that a step needs: 0.25 → 2, 500 → 0. */
function decimals(step) {
  for (let digits = 0; digits < 6; digits += 1) {
    const scaled = step * 10 ** digits;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * Math.max(1, scaled)) return digits;
  }
  return 6;
}
