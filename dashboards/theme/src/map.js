// A map stands in the page as SVG; this gives it the figures of the moment, as kobe_platform/lounge/maps.py did first.
import { classesOf, shadeOf } from './classes.js';
import { element } from './dom.js';
import { figure, SUPPRESSED } from './formats.js';
import './shared.js';

const DARK = 5;

/** Follow the reader's finger and choice; `choose` is called with an area's name. */
export function startMap(root, component, choose) {
  const words = root.querySelector('.lounge-map__told');
  const areas = [...root.querySelectorAll('[data-area]')];
  for (const area of areas) {
    const tell = () => (words.textContent = area.querySelector('title').textContent);
    area.addEventListener('pointerenter', tell);
    area.addEventListener('focus', tell);
    area.addEventListener('pointerdown', tell);
    if (!component.opts.select && !component.opts.drill) continue;
    area.classList.add('is-choice');
    area.addEventListener('click', () => choose(area.dataset.area));
    area.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      choose(area.dataset.area);
    });
  }
}

/** Colour every area and name its figure. */
export function showMap(root, component, record, rows, chosen) {
  const values = new Map((record?.x ?? []).map((name, i) => [name, rows?.[0][i]]));
  const known = [...values.values()].filter((value) => typeof value === 'number');
  showInside(root, values);
  const classes = classesOf(known, component.opts);
  for (const area of root.querySelectorAll('[data-area]')) {
    const name = area.dataset.area;
    const value = values.get(name);
    const text = `${name}：${value === SUPPRESSED ? 'X（秘匿）' : figure(value, component)}`;
    area.setAttribute('class', `lounge-map__area ${look(value, classes)}`);
    area.classList.toggle('is-choice', Boolean(component.opts.select || component.opts.drill));
    area.classList.toggle('is-chosen', name === chosen);
    if (value === SUPPRESSED) area.setAttribute('fill', `url(#${component.id}-x)`);
    else area.removeAttribute('fill');
    area.querySelector('title').textContent = text;
    if (area.hasAttribute('aria-label')) area.setAttribute('aria-label', text);
    if (area.hasAttribute('role')) area.setAttribute('aria-pressed', String(name === chosen));
  }
  for (const label of root.querySelectorAll('[data-area-label]')) {
    const value = values.get(label.dataset.areaLabel);
    label.classList.toggle('is-dark', typeof value === 'number' && shadeOf(value, classes) >= DARK);
    const told = label.querySelector('tspan');
    if (told) told.textContent = figure(value, { ...component, unit: '' });
  }
  showScale(root.querySelector('.lounge-map__scale'), classes, component);
  root.querySelector('.lounge-map__told').textContent = '';
}

function look(value, classes) {
  if (value === SUPPRESSED) return 'is-x';
  return typeof value === 'number' ? `lounge-f${shadeOf(value, classes)}` : 'is-absent';
}

/** The classes with their upper ends; what the hatching means stays last. */
function showScale(place, { low, ends, shades }, component) {
  const items = ends.map((end, at) => {
    const first = at ? '' : figure(low, { ...component, unit: '' });
    return element('li', {}, element('i', { class: `lounge-h${shades[at]}` }), element('span', {}, `${first}～${figure(end, component)}`));
  });
  place.replaceChildren(...items, place.lastElementChild);
}

/** Areas without shapes, such as the districts of a ward that was opened, are told by the table alone. */
function showInside(root, values) {
  const areas = [...root.querySelectorAll('[data-area]')];
  const onMap = !values.size || areas.some(({ dataset }) => values.has(dataset.area));
  root.querySelector('.lounge-map__box').hidden = !onMap;
  if (!onMap) root.querySelector('details').open = true;
}
