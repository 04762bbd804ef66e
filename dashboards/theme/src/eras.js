// Periods in Japanese eras; the same rules as kobe_platform/lounge/eras.py and its eras.toml.
const ERAS = [['令和', '2019-05-01', 2019], ['平成', '1989-01-08', 1989], ['昭和', '1926-12-25', 1926], ['大正', '1912-07-30', 1912], ['明治', '1873-01-01', 1868]];

function yearOf(year, day) {
  const era = ERAS.find(([, begins]) => day >= begins);
  if (!era) return '';
  const nth = year - era[2] + 1;
  return `${era[0]}${nth === 1 ? '元' : nth}年`;
}

/** 2025-07 → 令和7年7月, 2019 → 平成31年・令和元年; other texts as they are. */
export function eraLabel(code) {
  const match = /^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?$/.exec(code);
  if (!match) return code;
  const [, year, month, day] = match;
  const last = `${year}-${month ?? '12'}-${day ?? '31'}`;
  const names = [yearOf(Number(year), month ? last : `${year}-01-01`), yearOf(Number(year), last)];
  if (!names[1]) return code;
  const text = [...new Set(names.filter(Boolean))].join('・');
  return text + (month ? `${Number(month)}月` : '') + (day ? `${Number(day)}日` : '');
}
