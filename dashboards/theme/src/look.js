// The colours of the moment, as ground.css has them: the reader's ground on the screen, white on paper and in files.
import { element } from './dom.js';
import palette from './palette.json' with { type: 'json' };

/** Look of an element: ink, rules, ground, and the colours of so many series. */
function lookOf(place) {
  const css = getComputedStyle(place);
  const value = (name) => css.getPropertyValue(`--${name}`).trim();
  const dark = value('scheme') === 'dark';
  return {
    dark,
    ...Object.fromEntries(['ink', 'muted', 'axis', 'ground', 'hatch'].map((name) => [name, value(name)])),
    rule: value('rule-soft'),
    font: getComputedStyle(document.body).fontFamily,
    colours: palette[dark ? 'dark' : 'light'].map((step) => value(`color-primitive-${step}`)),
  };
}

let screen;
/** As the page stands on the screen, or on paper while it is printed. */
export const pageLook = () => (screen ??= lookOf(document.documentElement));

/** White ground, whatever the reader's is: for what leaves the browser. */
export function whiteLook() {
  const probe = element('span', { class: 'lounge-white', hidden: true });
  document.body.append(probe);
  const look = lookOf(probe);
  probe.remove();
  return look;
}

/** The colours are to be read again: the page is laid out for paper, or back. */
export const forgetLook = () => (screen = undefined);

/** Call `change` when the reader's setting of dark or light does. */
export function followLook(change) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    forgetLook();
    change();
  });
}

/** Colour of the n-th series. */
export const colourOf = (look, n) => look.colours[n % look.colours.length];
