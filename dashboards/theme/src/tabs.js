// Tabs by the ARIA pattern; without JavaScript the panels stand one below the other.
import { element } from './dom.js';

export function startTabs(root, onShow) {
  const panels = [...root.querySelectorAll(':scope > .lounge-tab')];
  const list = element('div', { role: 'tablist', class: 'lounge-tablist' });
  const buttons = panels.map((panel, i) => {
    panel.id ||= `tab-${Math.random().toString(36).slice(2)}`;
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-label', panel.dataset.title);
    const button = element('button', { type: 'button', role: 'tab', 'aria-controls': panel.id }, panel.dataset.title);
    button.addEventListener('click', () => select(i));
    button.addEventListener('keydown', (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const to = (i + by + panels.length) % panels.length;
      select(to);
      buttons[to].focus();
    });
    return button;
  });
  function select(chosen) {
    panels.forEach((panel, i) => {
      panel.hidden = i !== chosen;
      buttons[i].setAttribute('aria-selected', String(i === chosen));
      buttons[i].tabIndex = i === chosen ? 0 : -1;
    });
    onShow();
  }
  list.append(...buttons);
  root.prepend(list);
  root.classList.add('is-live');
  select(0);
}
