// What a reader asked of a table, in the address: ?c4.sort=人口&c4.order=desc&c4.find=北. Each name begins with the
// table's own, so that several tables of a page and its filters never share one.

/** Column, way and words that the address asks of a table; of columns that the table lacks nothing. */
export function askedOf(id, heads) {
  const query = new URLSearchParams(location.search);
  const column = heads.indexOf(query.get(`${id}.sort`));
  const way = query.get(`${id}.order`) === 'desc' ? 'descending' : 'ascending';
  return { sort: column < 0 ? { column, way: 'none' } : { column, way }, find: query.get(`${id}.find`) ?? '' };
}

/** Write it down; what is as it was at first takes no room. */
export function noteAsked(id, heads, { column, way }, find) {
  const query = new URLSearchParams(location.search);
  const told = { sort: heads[column], order: way === 'descending' ? 'desc' : '', find };
  for (const [name, value] of Object.entries(told)) {
    if (value) query.set(`${id}.${name}`, value);
    else query.delete(`${id}.${name}`);
  }
  history.replaceState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`);
}
