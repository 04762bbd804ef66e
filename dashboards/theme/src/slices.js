// Hashed slices: fetched once, then looked up. Nothing is summed here: every total is a published figure.
export class Slices {
  constructor(spec) {
    this.spec = spec;
    this.loads = new Map();
  }

  /** Start loading the files that the choices need; resolves to (component id) → record or undefined. */
  async load(state) {
    const records = {};
    const parts = Object.entries(this.spec.slices).map(([filter, files]) => files[filter ? state[filter] : '']);
    for (const record of await Promise.all(parts.filter(Boolean).map((file) => this.fetch(file)))) Object.assign(records, record);
    return records;
  }

  fetch(file) {
    if (!this.loads.has(file)) {
      const load = fetch(this.spec.data + file).then((response) => {
        if (!response.ok) throw new Error(`${response.status}`);
        return response.json();
      });
      load.catch(() => this.loads.delete(file));
      this.loads.set(file, load);
    }
    return this.loads.get(file);
  }
}

/** What the choices beside the slicing one are called in a slice. */
export function keyOf(component, state) {
  return component.keys.map((name) => state[name]).join('|');
}

/** The rows (series × x) of a component for the choices, or undefined where there is no data. */
export function rowsOf(component, record, state) {
  return record?.v[keyOf(component, state)];
}
