// What the page knows: rows by key, bounded, whatever the length of the day.
import { Clock } from "./clock.js";
import { millis } from "./format.js";

const MOST = { contact: 300, flag: 200, pool: 64, series: 240, points: 1600 };
const SWEEP = 4000; // ms after a reconnection for which rows of the old snapshot are kept

/** The rows of one kind by key, with the generation (the connection) in which each was last told. */
class Rows {
  #rows = new Map();
  constructor(most, age) {
    this.most = most;
    this.age = age;
  }
  put(key, row, generation) {
    this.#rows.set(key, { row, generation });
    if (this.#rows.size > this.most) this.#dropOldest();
  }
  get = (key) => this.#rows.get(key)?.row;
  all = () => Array.from(this.#rows.values(), (entry) => entry.row);
  sweep(generation) {
    for (const [key, entry] of this.#rows) if (entry.generation < generation) this.#rows.delete(key);
  }
  get size() {
    return this.#rows.size;
  }
  #dropOldest() {
    let oldest = null;
    let least = Infinity;
    for (const [key, { row }] of this.#rows) {
      const age = this.age(row);
      if (age < least || oldest === null) [oldest, least] = [key, age];
    }
    this.#rows.delete(oldest);
  }
}

export class Store {
  clock = new Clock();
  contacts = new Rows(MOST.contact, (row) => millis(row.requested_at) || 0);
  flags = new Rows(MOST.flag, (row) => millis(row.flagged_at) || 0);
  pools = new Rows(MOST.pool, () => 0);
  status = null;
  heard = 0; // when the last status came, in ms of the browser's clock
  #series = new Map(); // "metric|dimension|window" → (segment value → Rows by start)
  #dirty = new Set();
  #generation = 0;

  /** Takes one event of the stream. */
  put(kind, row) {
    const generation = this.#generation;
    if (kind === "contact") this.contacts.put(row.contact_id, row, generation);
    else if (kind === "flag") this.flags.put(row.follow_up_id, row, generation);
    else if (kind === "pool") this.pools.put(row.pool, row, generation);
    else if (kind === "metric") this.#point(row, generation);
    else if (kind === "status") {
      this.status = row;
      this.heard = performance.now();
      this.clock.hear(row.now);
    } else return;
    this.#dirty.add(kind === "metric" ? row.metric : kind);
  }

  /** A new connection: its snapshot replaces what was known, a little later, so that the page doesn't blink. */
  reopened() {
    const generation = ++this.#generation;
    if (generation === 1) return;
    setTimeout(() => {
      if (generation !== this.#generation) return;
      for (const rows of [this.contacts, this.flags, this.pools]) rows.sweep(generation);
      for (const group of this.#series.values()) {
        for (const [value, rows] of group) {
          rows.sweep(generation);
          if (!rows.size) group.delete(value);
        }
      }
      for (const kind of ["contact", "flag", "pool", "routing", "sentiment", "nps", "nps_changes", "nps_actions", "escalation"]) this.#dirty.add(kind);
    }, SWEEP);
  }

  /** The kinds that changed since this was last asked. */
  changes() {
    const changed = this.#dirty;
    this.#dirty = new Set();
    return changed;
  }

  /** By segment value of that dimension ("" with dimension "" for all): the metric's rows, oldest first. */
  series(metric, dimension, window) {
    const group = this.#series.get(`${metric}|${dimension}|${window}`) ?? new Map();
    const sorted = new Map();
    for (const [value, rows] of group) sorted.set(value, rows.all().sort((a, b) => a.at - b.at));
    return sorted;
  }

  #point(row, generation) {
    const segment = Object.entries(row.segment ?? {});
    if (segment.length > 1) return;
    const [dimension, value] = segment[0] ?? ["", ""];
    const name = `${row.metric}|${dimension}|${row.window}`;
    if (!this.#series.has(name)) this.#series.set(name, new Map());
    const group = this.#series.get(name);
    if (!group.has(value)) {
      if (group.size >= MOST.series) return;
      group.set(value, new Rows(MOST.points, (point) => point.at));
    }
    const at = millis(row.start) || 0;
    group.get(value).put(at, { ...row, at, counts: row.counts ?? {} }, generation);
  }
}
