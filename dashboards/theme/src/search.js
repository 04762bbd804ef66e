// What a reader's words lead to: pages, and in them charts and choices. The index holds words, never a figure.
import { fold } from './folding.js';

export const MOST = 8; // results that are shown
const MANY = 12; // options that a word fits: more are no choice of one
const MOST_CHOICES = 3; // options that are offered of one page

/** Index as the site ships it → what `find` reads. */
export function prepared(index) {
  const pages = index.pages.map((page) => ({ ...page, charts: page.charts.map((chart) => ({ ...chart, labels: new Set(chart.labels) })) }));
  return { ...index, pages, groups: index.synonyms.map((group) => new Set(group)) };
}

/** Results in order of fitness: { slug, title, chart, choices: [{ filter, value, label }], label, score }. */
export function find(index, text, most = MOST) {
  const words = wordsOf(index, text);
  if (!words.length) return [];
  const found = index.pages.flatMap((page, order) => onPage(index, page, words).map((result) => ({ ...result, order })));
  found.sort((a, b) => b.score - a.score || a.order - b.order);
  return found.slice(0, most);
}

/** The words as typed, each with those that mean the same; 「垂水区人口」 without a space is two, one of them a whole term. */
function wordsOf(index, text) {
  const typed = text.split(/[\s　]+/).map(fold).filter(Boolean);
  return typed.flatMap((word) => (fits(index, [word]) ? [word] : parted(index, word))).map((word) => wordOf(index, word));
}

function parted(index, word) {
  for (let at = word.length - 1; at > 0; at -= 1) {
    const parts = [word.slice(0, at), word.slice(at)];
    const fitting = parts.every((part) => part.length > 1 && fits(index, alternatives(index, part)));
    if (fitting && parts.some((part) => [...wordOf(index, part).terms.values()].includes(2))) return parts;
  }
  return [word];
}

const fits = (index, words) =>
  words.some((word) => index.terms.some(([, key]) => key.includes(word)) || index.pages.some((page) => inPage(page, word)));
const inPage = (page, word) => page.key.includes(word) || page.charts.some((chart) => chart.key.includes(word));

function alternatives(index, word) {
  const others = index.groups.filter((group) => group.has(word)).flatMap((group) => [...group]);
  return [...new Set([word, ...others])];
}

/** A word with the terms that it occurs in: number of the term → 2 where it is the whole of it, but for 区, else 1. */
function wordOf(index, word) {
  const any = alternatives(index, word);
  const terms = new Map();
  index.terms.forEach(([, key], number) => {
    if (!any.some((one) => key.includes(one))) return;
    const whole = key.split('\n').some((line) => any.some((one) => line === one || line === `${one}区` || line === `${one}ク`));
    terms.set(number, whole ? 2 : 1);
  });
  return { any, terms, offered: new Map() };
}

function onPage(index, page, words) {
  const hits = words.map((word) => ({
    word,
    page: word.any.some((one) => page.key.includes(one)),
    options: optionsOf(index, page, word),
  }));
  const charts = page.charts.map((chart) => ({ chart, ...chartHits(chart, words) }));
  if (!hits.every((hit, i) => hit.page || hit.options.length || charts.some(({ by }) => by[i]))) return [];
  const choosing = hits.filter((hit) => hit.options.length);
  const other = words.map((_, i) => !hits[i].options.length);
  return combined(choosing).map(({ choices, weight }) => {
    // A chart that does not listen to a choice shows no figure of it.
    const listening = charts.filter(({ chart }) => choices.every(({ filter }) => chart.filters.includes(filter)));
    const best = bestChart(listening, other, choosing.length > 0);
    const fit = hits.reduce((sum, hit, i) => sum + (hit.page ? 1 : 0) + (best && other[i] ? best.by[i] * 2 : 0), 0);
    const told = { slug: page.slug, title: page.title, chart: best?.chart ?? null, label: best?.label ?? null };
    // A choice counts in full where a chart answers to it, and a headline figure before a chart of several.
    return { ...told, choices, score: fit + (best ? 3 : 1) * weight + (best?.chart.kind === 'BigValue' ? 0.5 : 0) };
  });
}

/** The options of a page that a word fits; where it is the whole of some, only those. A word that fits many chooses none. */
function optionsOf(index, page, word) {
  const found = page.filters.flatMap((filter) => offeredBy(index, filter.options, word).map((option) => ({ ...option, filter: filter.name })));
  const whole = found.filter((option) => option.weight === 2);
  const chosen = whole.length ? whole : found;
  return chosen.length > MANY ? [] : chosen;
}

/** The options of a list that a word fits; lists are shared by pages, so each is looked through once a word. */
function offeredBy(index, number, word) {
  if (!word.offered.has(number)) {
    const list = index.lists[number];
    const fitting = list.filter(([, term]) => word.terms.has(term));
    const unique = (term) => list.filter(([, one]) => one === term).length === 1;
    word.offered.set(
      number,
      fitting.map(([value, term]) => ({ value, label: index.terms[term][0], weight: word.terms.get(term), unique: unique(term) })),
    );
  }
  return word.offered.get(number);
}

/** How well each word fits a chart: 2 by its title, 1 by one of its labels; and the label that a word is. */
function chartHits(chart, words) {
  const { labels } = chart;
  let label = null;
  const by = words.map((word) => {
    const fitting = [...(word.terms.size < labels.size ? word.terms.keys() : labels)].filter((term) => labels.has(term) && word.terms.has(term));
    if (fitting.length === 1 || fitting.some((term) => word.terms.get(term) === 2)) {
      label ??= fitting.find((term) => word.terms.get(term) === 2) ?? fitting[0];
    }
    return word.any.some((one) => chart.key.includes(one)) ? 2 : fitting.length ? 1 : 0;
  });
  return { by, label };
}

/** The chart that the words beside the choices lead to; of choices alone the first headline figure. */
function bestChart(charts, other, chosen) {
  const weighed = charts.map((one) => ({ ...one, sum: one.by.reduce((sum, n, i) => sum + (other[i] ? n : 0), 0) }));
  // Of two that fit alike the headline figure answers, else the first of the page.
  const rank = (one) => one.sum * 2 + (one.chart.kind === 'BigValue' ? 1 : 0);
  const fitting = weighed.filter((one) => one.sum).sort((a, b) => rank(b) - rank(a));
  return fitting[0] ?? (chosen && !other.some(Boolean) ? weighed.find((one) => one.chart.kind === 'BigValue') : undefined);
}

/** One choice a filter: the options of the words, combined. */
function combined(choosing) {
  let sets = [{ choices: [], weight: 0 }];
  for (const { options } of choosing) {
    sets = sets
      .flatMap((set) =>
        options.map((option) => {
          const former = set.choices.find((one) => one.filter === option.filter);
          if (former) return former.value === option.value ? set : null;
          return { choices: [...set.choices, option], weight: set.weight + option.weight };
        }),
      )
      .filter(Boolean)
      .slice(0, MOST_CHOICES);
  }
  return sets;
}

/** Where a result leads: the page with the choices in its address, at the chart. */
export function addressOf(result) {
  const query = new URLSearchParams(result.choices.map((one) => [one.filter, one.unique ? one.label : one.value]));
  const text = query.toString();
  return `${result.slug}.html${text ? `?${text}` : ''}${result.chart ? `#${result.chart.id}` : ''}`;
}

/** The one published cell that a result asks for: { value, period }, or undefined where several or none would answer. */
export function cellOf(component, record, state, label) {
  const rows = record?.v?.[component.keys.map((name) => state[name]).join('|')];
  const { x = [], s = [''] } = record ?? {};
  const headline = component.kind === 'BigValue';
  const along = headline || component.opts?.periods;
  const at = along ? placeOfPeriod(component, x, state) : x.indexOf(label);
  // A slice has the series that it shows alone: one by itself is the asked one only where it has no name or that name.
  const row = headline || (s.length === 1 && s[0] === '' && !(along && label !== undefined)) ? 0 : s.indexOf(label);
  if (!rows || at < 0 || row < 0) return undefined;
  return { value: rows[row]?.[at] ?? null, period: along ? x[at] : undefined };
}

function placeOfPeriod(component, x, state) {
  return component.at ? x.indexOf(state[component.at]) : x.length - 1;
}
