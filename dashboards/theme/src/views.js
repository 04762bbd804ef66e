// Other ways to read a chart, where its page offers them: index, change on the year before, order by size.
import { Chooser } from './chooser.js';

const WORDS = { index: '指数', year: '前年からの増減', rank: '大きい順' };

/** Buttons above a chart (`?c3.view=index`). */
export function viewsOf(root, { id, title, opts }, act) {
  const chooser = new Chooser(root, `${id}.view`, `${title}の見方`, act);
  chooser.show([['', opts.views.includes('rank') ? '既定の順' : '実数'], ...opts.views.map((view) => [view, WORDS[view]])]);
  return chooser;
}

/** Buttons of areas above flows (`?c9.of=灘区`): all flows of one are drawn, the others stand back. */
export const flowsOf = (root, { id, title }, act) => new Chooser(root, `${id}.of`, `${title}：濃く示す地域`, act);
