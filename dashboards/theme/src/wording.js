// Names along an axis: broken between words only, turned where they have no room even so.
const WIDE = 1; // of the letter's size
const NARROW = 0.6;
const TURN = 40; // degrees at least
const AFTER = /(?<=[・、,／/〜～）)」\s])|(?=[（(「])/;
const words = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter('ja', { granularity: 'word' }) : undefined;

/** Width of a text in pixels, near enough to place it. */
export function widthOf(text, size) {
  let width = 0;
  for (const letter of text) width += size * (letter <= '\u00ff' || /[\uff61-\uff9f]/.test(letter) ? NARROW : WIDE);
  return width;
}

/** The words of a part; particles, signs and single letters (区, 別) stay with the word before them. */
function wordsOf(part) {
  const pieces = [];
  for (const { segment } of words?.segment(part) ?? [{ segment: part }]) {
    const stays = pieces.length && (/^[\p{Script=Hiragana}ー]/u.test(segment) || !/[\p{L}]/u.test(segment) || /\d$/.test(pieces.at(-1)) || [...segment].length === 1);
    if (stays) pieces[pieces.length - 1] += segment;
    else pieces.push(segment);
  }
  return pieces;
}

/** The pieces between which a line may end: parts between signs, and words of a part that is longer than `room`. */
export function piecesOf(text, room = 0, size = 12) {
  return text.split(AFTER).filter(Boolean).flatMap((part) => (widthOf(part, size) > room ? wordsOf(part) : [part]));
}

/** Lines of at most `room` pixels; a piece that is longer has a line of its own. */
export function linesOf(text, room, size) {
  const lines = [''];
  for (const piece of piecesOf(text, room, size)) {
    const longer = lines.at(-1) + piece;
    if (lines.at(-1) && widthOf(longer, size) > room) lines.push(piece);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((line) => line.trim());
}

/** Degrees by which names are turned so that their lines stand clear of each other, `room` pixels apart along the axis. */
export const turnOf = (room, size) => Math.round(Math.min(90, Math.max(TURN, (Math.asin(Math.min(1, (size + 3) / room)) * 180) / Math.PI)));

/** How names stand below an axis whose places are `room` pixels wide: in lines, or turned as wholes. */
export function placed(names, room, size, most = 3) {
  const broken = names.map((name) => linesOf(name, room, size));
  const fit = broken.every((lines) => lines.length <= most && lines.every((line) => widthOf(line, size) <= room));
  return fit ? { texts: broken.map((lines) => lines.join('\n')), turned: false } : { texts: names, turned: true };
}

/** Beside which side of its point each name stands, so that it lies on no other name and no point where there is a free side. */
export function sidesOf(points, width, height) {
  const scaled = (pick, room) => {
    const [low, high] = [Math.min(...points.map(pick)), Math.max(...points.map(pick))];
    return (point) => ((pick(point) - low) / (high - low || 1)) * room * 0.85; // an axis goes on beyond its points
  };
  const [x, y] = [scaled(({ across }) => across, width), scaled(({ up }) => -up, height)];
  const taken = points.map((point) => [x(point) - 6, y(point) - 6, x(point) + 6, y(point) + 6]);
  return points.map((point) => {
    const [left, top, long] = [x(point), y(point), widthOf(point.name, 12)];
    const beside = {
      right: [left + 8, top - 7, left + 10 + long, top + 7],
      left: [left - 10 - long, top - 7, left - 8, top + 7],
      top: [left - long / 2, top - 22, left + long / 2, top - 8],
      bottom: [left - long / 2, top + 8, left + long / 2, top + 22],
    };
    const side = Object.keys(beside).find((one) => !taken.some((box) => meet(box, beside[one]))) ?? 'right';
    taken.push(beside[side]);
    return side;
  });
}

const meet = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
