// The six figures at the top: what a floor manager looks at first.
import { count, millis, moodClass, moodWord, percent, signed, stopwatch } from "./format.js";
import { el, hook, keep, mark, say } from "./dom.js";
import { t } from "./texts.js";

const HOUR = 3600_000;
export const FEW = 30; // answers below which a score says little

/** The sum of the counts of those rows. */
export function total(rows) {
  const sum = {};
  for (const row of rows) for (const [name, number] of Object.entries(row.counts)) sum[name] = (sum[name] ?? 0) + number;
  return sum;
}

function figures(store) {
  const now = store.clock.now();
  return [waiting(store, now), serving(store), routed(store, now), mood(store, now), nps(store), flags(store, now)];
}

function waiting(store, now) {
  const pools = store.pools.all();
  const number = pools.reduce((sum, pool) => sum + (pool.waiting ?? 0), 0);
  const oldest = Math.min(...pools.filter((pool) => pool.waiting && pool.oldest_queued_at).map((pool) => millis(pool.oldest_queued_at)));
  const detail = number && Number.isFinite(oldest) ? t("longest", { t: stopwatch((now - oldest) / 1000) }) : t("nobodyWaits");
  return { key: "waitingNow", value: pools.length ? count(number) : "—", detail: pools.length ? detail : t("none") };
}

function serving(store) {
  const pools = store.pools.all();
  const sum = (name) => pools.reduce((all, pool) => all + (pool[name] ?? 0), 0);
  return {
    key: "inService",
    value: pools.length ? count(sum("in_service")) : "—",
    detail: pools.some((pool) => Number.isFinite(pool.seats_total)) ? t("seatsReady", { a: count(sum("seats_ready")), b: count(sum("seats_total")) }) : t("none"),
  };
}

function rowsSince(store, metric, since) {
  const rows = store.series(metric, "", "PT1M").get("") ?? [];
  return rows.filter((row) => !(row.at < since));
}

function routed(store, now) {
  const midnight = Number.isFinite(now) ? new Date(now).setHours(0, 0, 0, 0) : -Infinity;
  const sum = total(rowsSince(store, "routing", midnight));
  const [bot, human, left] = [sum.triaged_bot ?? 0, sum.triaged_human ?? 0, sum.abandoned ?? 0];
  if (!(bot + human)) return { key: "byBot", value: "—", detail: t("none") };
  return {
    key: "byBot",
    value: percent(bot / (bot + human)),
    detail: t("byBotDetail", { a: count(bot), b: count(human), c: count(left) }),
  };
}

function mood(store, now) {
  const sum = total(rowsSince(store, "sentiment", now - HOUR));
  const n = (sum.negative ?? 0) + (sum.neutral ?? 0) + (sum.positive ?? 0) + (sum.unsure ?? 0);
  if (!n) return { key: "moodHour", value: "—", detail: t("none") };
  const mean = (sum.polarity_milli ?? 0) / 1000 / n;
  return { key: "moodHour", value: signed(mean, 2), unit: moodWord(mean), mood: moodClass(mean), detail: t("moodDetail", { n: count(n), p: percent((sum.negative ?? 0) / n) }) };
}

function nps(store) {
  const row = store.series("nps", "", "ALL").get("")?.at(-1);
  if (!row?.n) return { key: "npsAll", value: "—", detail: t("none") };
  const detail = row.n < FEW ? `${t("tooFew")} (${count(row.n)})` : t("npsDetail", { low: signed(row.low), high: signed(row.high), n: count(row.n) });
  return { key: "npsAll", value: signed(row.nps), detail };
}

/** True where a follow-up is open past its time, by the service's clock. */
export const isOverdue = (flag, now) => !flag.closed_at && (flag.overdue || millis(flag.due_at) < now);

function flags(store, now) {
  const open = store.flags.all().filter((flag) => !flag.closed_at);
  const late = open.filter((flag) => isOverdue(flag, now)).length;
  return {
    key: "openFlags",
    value: count(open.length),
    detail: late ? t("overdueCount", { n: count(late) }) : t("noneOverdue"),
    level: late ? "bad" : null,
  };
}

/** One figure with its label and detail. */
export function figure(item) {
  const label = el("p", { class: "label" });
  const number = el("span");
  const unit = el("small");
  const value = el("p", { class: "value", "data-testid": `figure-${item.key}` }, number, " ", unit);
  const detail = el("p", { class: "detail" });
  return {
    node: el("div", { class: "figure" }, label, value, detail),
    update(next) {
      say(label, next.label ?? t(next.key));
      say(number, next.value);
      say(unit, next.unit ?? "");
      mark(value, "data-mood", next.mood);
      say(detail, next.detail ?? "");
      mark(detail, "data-level", next.level);
    },
  };
}

/** The panel: which kinds of event it follows, and how it is drawn. */
export function summaryPanel(store) {
  const place = hook("summary");
  return {
    kinds: ["pool", "flag", "routing", "sentiment", "nps", "tick"],
    render: () => keep(place, figures(store), (item) => item.key, figure),
  };
}
