// Queue and wait by pool: a tile each, and a chart over time.
import { colour, draw, plain, seriesColour, tabulate } from "./chart.js";
import { count, millis, plotTime, stopwatch, timeOfDay } from "./format.js";
import { el, hook, keep, mark, say } from "./dom.js";
import { makeSupervise } from "./supervise.js";
import { t, word } from "./texts.js";

const MINUTE = 60_000;
const FEW_MINUTES = 10 * MINUTE;
const LONG = 5 * 60; // seconds of waiting that are long
const VERY_LONG = 15 * 60;

const byName = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function tile(pool, supervise) {
  const parts = Object.fromEntries(["name", "number", "unit", "oldest", "seats", "mode", "debts", "wait"].map((name) => [name, el("span")]));
  const number = el("b", { "data-testid": "pool-waiting" });
  parts.oldest.className = "detail oldest";
  const button = el("button", { type: "button", "data-testid": "supervise", on: { click: () => supervise(pool.pool) } });
  const node = el(
    "li",
    { class: "tile", "data-testid": "pool", "data-pool": pool.pool },
    el("p", { class: "name" }, parts.name),
    el("p", { class: "waiting" }, number, parts.unit),
    el("p", { class: "detail" }, parts.oldest),
    el("p", { class: "detail" }, parts.seats),
    el("p", { class: "detail", "data-testid": "pool-wait" }, parts.wait),
    el("p", { class: "detail", "data-testid": "pool-mode" }, parts.mode),
    el("p", { class: "detail", "data-testid": "pool-debts" }, parts.debts),
    el("p", { class: "detail" }, button),
  );
  return {
    node,
    update({ row, colour: name, now }) {
      node.style.setProperty("--colour", `var(--${name})`);
      say(parts.name, word("pool", row.pool));
      say(number, count(row.waiting ?? 0));
      say(parts.unit, t("poolWaiting"));
      const oldest = row.waiting ? (now - millis(row.oldest_queued_at)) / 1000 : NaN;
      say(parts.oldest, Number.isFinite(oldest) ? t("poolOldest", { t: stopwatch(oldest) }) : row.waiting ? "" : t("poolCalm"));
      mark(parts.oldest, "data-level", oldest > VERY_LONG ? "bad" : oldest > LONG ? "warn" : null);
      say(button, t("supervise"));
      say(parts.mode, row.managed ? t("poolManaged") : "");
      mark(parts.mode, "data-level", row.managed ? "warn" : null);
      const due = row.next_debt_due ? timeOfDay(millis(row.next_debt_due), false) : "—";
      say(parts.debts, row.debts_overdue ? t("poolDebtsLate", { n: row.debts, o: row.debts_overdue }) : row.debts ? t("poolDebts", { n: row.debts, t: due }) : "");
      mark(parts.debts, "data-level", row.debts_overdue ? "bad" : null);
      say(parts.wait, Number.isFinite(row.wait_s) ? t("poolWait", { t: stopwatch(row.wait_s) }) : "");
      say(parts.seats, t("poolSeats", { a: row.in_service ?? 0, b: row.offered ?? 0, c: row.seats_ready ?? 0, d: row.seats_total ?? 0 }));
    },
  };
}

/** Rows of one pool in buckets of so many ms: [{at, wait (minutes), queued, abandoned (both per minute)}]. */
export function buckets(rows, width) {
  const found = new Map();
  for (const row of rows) {
    const at = Math.floor(row.at / width) * width;
    const bucket = found.get(at) ?? { at, accepted: 0, waited: 0, queued: 0, abandoned: 0 };
    const accepted = row.counts.accepted ?? 0;
    bucket.accepted += accepted;
    // The mean is the gateway's; weighted by who was taken, it stays a mean.
    bucket.waited += (row.mean_wait_s ?? 0) * accepted;
    bucket.queued += row.counts.queued ?? 0;
    bucket.abandoned += row.counts.abandoned ?? 0;
    found.set(at, bucket);
  }
  const minutes = width / MINUTE;
  return Array.from(found.values(), (bucket) => ({
    at: bucket.at,
    wait: bucket.accepted ? bucket.waited / bucket.accepted / 60 : null,
    queued: bucket.queued / minutes,
    abandoned: bucket.abandoned / minutes,
  }));
}

/** True of a value without one beside it: a line doesn't show it, so it needs a dot. */
const alone = (points, index, which) => [points[index - 1], points[index + 1]].every((beside) => (beside?.[which] ?? null) === null);

/** The first and the last time in those rows; none: NaN. */
function endsOf(series) {
  const ends = Array.from(series.values()).flatMap((rows) => [rows[0]?.at, rows.at(-1)?.at]).filter(Number.isFinite);
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : [NaN, NaN];
}

/** Where the axis has its ticks: a few minutes have one each, or else the same minute would stand there twice. */
function ticks(series) {
  const [first, last] = endsOf(series);
  if (!(last - first < FEW_MINUTES)) return { nticks: 9 };
  return { range: [plotTime(first - MINUTE), plotTime(last + MINUTE)], tick0: plotTime(first), dtick: MINUTE };
}

function widthFor(series) {
  const [first, last] = endsOf(series);
  const span = last - first || 0;
  if (span <= 2 * 60 * MINUTE) return MINUTE;
  return span <= 8 * 60 * MINUTE ? 5 * MINUTE : 15 * MINUTE;
}

/** The panel; `explain` shows why a contact was routed so. */
export function poolsPanel(store, explain) {
  const tiles = hook("pools");
  const chart = hook("chart-pools");
  const details = hook("table-pools");
  const measure = hook("pool-measure");
  const supervise = makeSupervise(store, explain);

  function drawChart(names) {
    const series = store.series("routing", "pool", "PT1M");
    series.delete("bot");
    const width = widthFor(series);
    const which = measure.value;
    const lines = [];
    const rows = [];
    for (const name of Array.from(series.keys()).sort(byName)) {
      const points = buckets(series.get(name), width);
      const shown = names.indexOf(name);
      lines.push({
        type: "scatter",
        mode: "lines+markers",
        marker: { size: points.map((_, index) => (alone(points, index, which) ? 7 : 0)) },
        name: plain(word("pool", name)),
        x: points.map((point) => plotTime(point.at)),
        y: points.map((point) => point[which]),
        line: { color: colour(seriesColour(shown < 0 ? lines.length : shown)), width: 2, shape: which === "wait" ? "linear" : "hv" },
        connectgaps: false,
        hovertemplate: "%{y:.1f}",
      });
      for (const point of points.slice(-40)) rows.push([timeOfDay(point.at, false), word("pool", name), point[which]?.toFixed(1) ?? "—"]);
    }
    const drawn = lines.some((line) => line.y.some((y) => y !== null));
    mark(chart, "hidden", !drawn);
    mark(hook("chart-pools-empty"), "hidden", drawn || !names.length);
    say(hook("chart-pools-empty"), t(lines.length ? "noWaits" : "noRouting"));
    if (!drawn) {
      tabulate(details, [], []);
      return;
    }
    const title = t(`${which}Measure`);
    draw(
      chart,
      lines,
      { hovermode: "x unified", showlegend: true, xaxis: { tickformat: "%H:%M", hoverformat: "%H:%M", ...ticks(series) }, yaxis: { rangemode: "tozero", title: { text: title, font: { size: 11, color: colour("quiet") }, standoff: 6 } } },
      `${t("pools")}: ${title}`,
    );
    tabulate(details, [t("time"), t("filterPool"), title], rows.reverse());
  }

  function render(why) {
    const pools = store.pools.all().filter((pool) => pool.pool !== "bot");
    const names = pools.map((pool) => pool.pool).sort(byName);
    const now = store.clock.now();
    const items = names.map((name, index) => ({ row: store.pools.get(name), pool: name, colour: seriesColour(index), now }));
    keep(tiles, items, (item) => item.pool, (item) => tile(item, supervise));
    mark(hook("pools-empty"), "hidden", names.length > 0);
    if (why.has("routing") || why.has("all")) drawChart(names);
  }

  const again = () => render(new Set(["all"]));
  measure.addEventListener("change", again);
  details.addEventListener("toggle", again);
  return { kinds: ["pool", "routing", "tick"], render };
}
