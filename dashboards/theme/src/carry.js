// Links that take the readers' choices along: ?area=西区 of one page is that of the next. A choice that the next page
// does not have (a school district on a page by ward) falls back to its group (the ward), sent as area_in.
export function carryChoices(filters) {
  const query = new URLSearchParams();
  for (const [name, control] of filters.controls) {
    const value = filters.state[name];
    if (value === control.spec.default) continue;
    query.set(name, control.word(value));
    const group = control.group(value);
    if (group) query.set(`${name}_in`, group);
  }
  for (const link of document.querySelectorAll('a[data-carry]')) {
    const path = link.getAttribute('href').split('?')[0];
    link.setAttribute('href', query.size ? `${path}?${query}` : path);
  }
}
