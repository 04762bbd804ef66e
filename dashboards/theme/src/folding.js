// Text as the search compares it; the same rules as fold() in kobe_platform/lounge/catalogue.py.
const SMALL = new Map([...'ァィゥェォッャュョヮヵヶ'].map((c, i) => [c, 'アイウエオツヤユヨワカケ'[i]]));
const DROPPED = new Set(' \t\n・･,、。.．/／-‐―−－()（）「」『』【】:：');

export function fold(text) {
  return [...text.normalize('NFKC').toLowerCase()]
    .map((c) => (c >= 'ぁ' && c <= 'ゖ' ? String.fromCharCode(c.charCodeAt(0) + 0x60) : c))
    .map((c) => SMALL.get(c) ?? c)
    .filter((c) => !DROPPED.has(c))
    .join('');
}
