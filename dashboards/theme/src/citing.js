// Where a figure comes from: told on every file that is taken away, and as a line to quote.
const textOf = (selector, root = document) => root.querySelector(selector)?.textContent.trim() ?? '';

/** What the page tells of itself: name, source, newest data, section, day and number of the release, rule of 「X」. */
export function about() {
  const states = Object.fromEntries([...document.querySelectorAll('.lounge-head .lounge-state div')].map((pair) => [textOf('dt', pair), textOf('dd', pair)]));
  return {
    site: textOf('.site-name'),
    page: document.title.split(' - ')[0],
    source: states['出典'] ?? '',
    latest: states['最新のデータ'] ?? '',
    owner: states['所管'] ?? '',
    updated: textOf('.site-updated time'),
    edition: textOf('.site-edition'),
    rule: textOf('.lounge-rule'),
    isSynthetic: Boolean(document.querySelector('.lounge-badge--synthetic')),
  };
}

/** 神戸市データラウンジ「人口の推移」（東灘区）、出典：…、2025年12月現在、2026年1月5日更新（第7版） */
export function citation(told, title, choices = []) {
  const chosen = choices.length ? `（${choices.join('・')}）` : '';
  const edition = told.edition ? `（${told.edition}）` : '';
  const parts = [
    `${told.isSynthetic ? '【合成データ】' : ''}${told.site}「${title}」${chosen}`,
    told.source && `出典：${told.source}`,
    told.latest && `最新のデータ：${told.latest}`,
    told.updated && `${told.updated}更新${edition}`,
  ];
  return parts.filter(Boolean).join('、');
}

export const RULE = '「X」は秘匿した値です。0ではありません。';
/** What 「X」 means, in the page's own words where it has some. */
export const ruleOf = (told) => told.rule || RULE;
