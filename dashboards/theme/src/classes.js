// Classes of a map's figures, cut as kobe_platform/lounge/classes.py does. Hidden and absent areas take no part.
const STEPS = 7;
const QUANTILES = 5;
const SHADES = { 0: [], 1: [7], 2: [2, 6], 3: [2, 4, 6], 4: [1, 3, 5, 7], 5: [1, 3, 4, 5, 7], 7: [1, 2, 3, 4, 5, 6, 7] };

/** Lower end of the first class, upper end of each, and their shades. */
export function classesOf(known, { free = false, quantile = false } = {}) {
  const sorted = [...known].sort((a, b) => a - b);
  if (!sorted.length) return { low: 0, ends: [], shades: [] };
  if (quantile) {
    const places = Array.from({ length: QUANTILES }, (_, n) => Math.max(0, Math.ceil((sorted.length * (n + 1)) / QUANTILES) - 1));
    return shaded(sorted[0], [...new Set(places.map((place) => sorted[place]))]);
  }
  const high = sorted.at(-1);
  const low = free || sorted[0] < 0 ? sorted[0] : 0;
  if (high <= low) return shaded(low, [high]);
  const steps = Array.from({ length: STEPS - 1 }, (_, n) => low + ((high - low) * (n + 1)) / STEPS);
  return shaded(low, [...steps, high]);
}

const shaded = (low, ends) => ({ low, ends, shades: SHADES[ends.length] });

/** The shade 1 … 7 of a figure; 0 for nothing. */
export function shadeOf(value, { low, ends, shades }) {
  if (!ends.length || (!value && !low)) return 0;
  const at = ends.findIndex((end) => value <= end);
  return shades[at < 0 ? ends.length - 1 : at];
}
