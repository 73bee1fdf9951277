// NPS by segment with its interval; where there are too few answers, that is said in words. Below, what changed for certain, or
// that nothing did, and whether what was promised worked.
import { colour, draw, plain, tabulate } from "./chart.js";
import { count, signed } from "./format.js";
import { el, hook, keep, mark, say } from "./dom.js";
import { language, t, touchpointWord, word } from "./texts.js";
import { FEW } from "./summary.js";

const MOST = 14; // segments shown, those with most answers first
const CHANGES = 5; // changes told, the last ones first
const ACTIONS = 4; // actions told, those promised last first

function label(dimension, value) {
  if (dimension === "touchpoint") return touchpointWord(value);
  return dimension === "channel" ? word("channel", value) : value;
}

function segments(store, dimension) {
  const found = [];
  for (const [value, rows] of store.series("nps", dimension, "ALL")) {
    const row = rows.at(-1);
    if (row?.n > 0) found.push({ ...row, value, few: row.n < FEW });
  }
  const most = found.sort((a, b) => b.n - a.n).slice(0, MOST);
  // The best stands on top; those that say little stand below.
  return most.sort((a, b) => (a.few === b.few ? a.nps - b.nps : a.few ? -1 : 1));
}

function dots(items, dimension, few) {
  const shown = items.filter((item) => item.few === few);
  const ink = colour(few ? "quiet" : "accent");
  return {
    type: "scatter",
    mode: "markers",
    x: shown.map((item) => item.nps),
    y: shown.map((item) => item.value),
    error_x: {
      type: "data",
      symmetric: false,
      array: shown.map((item) => Math.max(0, (item.high ?? item.nps) - item.nps)),
      arrayminus: shown.map((item) => Math.max(0, item.nps - (item.low ?? item.nps))),
      color: ink,
      thickness: few ? 1 : 2,
      width: 4,
    },
    marker: { size: 10, color: few ? colour("surface") : ink, line: { color: ink, width: 1.6 } },
    customdata: shown.map((item) => [signed(item.nps), signed(item.low), signed(item.high), count(item.n), plain(label(dimension, item.value)), few ? ` · ${t("tooFew")}` : ""]),
    hovertemplate: "%{customdata[4]}: %{customdata[0]} [%{customdata[1]}, %{customdata[2]}] n = %{customdata[3]}%{customdata[5]}<extra></extra>",
  };
}

const sentence = (row) => (language() === "zh" ? row.zh : row.en) ?? "";

/** What was promised and by whom; of an action whose promise nobody has heard, its id. */
const actionName = (id, row) => [row.promise, row.owner].filter(Boolean).join(" · ") || `${id} ${t("neverPromised")}`;

/** What is told in words: all answers first, then the last changes of the dimension's values, then actions. */
function told(store, dimension) {
  const lines = [];
  const all = store.series("nps_changes", "", "ALL").get("")?.at(-1);
  if (all) lines.push({ key: "all", kind: all.points === null ? "still" : all.points < 0 ? "worse" : "better", name: t("allAnswers"), text: sentence(all) });
  const changes = [];
  for (const [value, rows] of store.series("nps_changes", dimension, "ALL")) {
    const row = rows.at(-1);
    if (row && row.points !== null) changes.push({ key: `${dimension}=${value}`, at: row.told_at ?? "", kind: row.points < 0 ? "worse" : "better", name: label(dimension, value), text: sentence(row) });
  }
  changes.sort((a, b) => (a.at < b.at ? 1 : -1));
  const actions = [];
  for (const [value, rows] of store.series("nps_actions", "action", "ALL")) {
    const row = rows.at(-1);
    if (row) actions.push({ key: `action=${value}`, at: row.promised_at ?? "", kind: row.dropped_at ? "dropped" : row.verdict, name: actionName(value, row), text: (row.overdue ? `${t("overdueAction")} ` : "") + sentence(row) });
  }
  actions.sort((a, b) => (a.at < b.at ? 1 : -1));
  return [...lines, ...changes.slice(0, CHANGES), ...actions.slice(0, ACTIONS)];
}

function line() {
  const name = el("b", { class: "name" });
  const text = el("span", {});
  const node = el("li", { "data-testid": "nps-line" }, name, " ", text);
  return {
    node,
    update(item) {
      mark(node, "data-kind", item.kind);
      say(name, item.name);
      say(text, item.text);
    },
  };
}

/** The panel. */
export function npsPanel(store) {
  const chart = hook("chart-nps");
  const details = hook("table-nps");
  const choice = hook("nps-dimension");
  const words = hook("nps-told");

  function render() {
    const dimension = choice.value;
    const items = segments(store, dimension);
    const overall = store.series("nps", "", "ALL").get("")?.at(-1);
    mark(hook("nps-empty"), "hidden", items.length > 0);
    say(hook("nps-empty"), overall?.n ? t("noNpsBy", { d: t(`by.${dimension}`) }) : t("noNps"));
    mark(chart, "hidden", !items.length);
    if (items.length) {
      const line = overall?.n ? [{ type: "line", x0: overall.nps, x1: overall.nps, yref: "paper", y0: 0, y1: 1, line: { color: colour("series-2"), width: 1.5, dash: "dot" } }] : [];
      const note = overall?.n ? [{ x: overall.nps, yref: "paper", y: 1, yanchor: "bottom", showarrow: false, text: t("overall", { n: signed(overall.nps) }), font: { size: 11, color: colour("series-2") } }] : [];
      draw(
        chart,
        [dots(items, dimension, false), dots(items, dimension, true)],
        {
          showlegend: false,
          margin: { l: 10, r: 14, t: 20, b: 8 },
          shapes: line,
          annotations: note,
          xaxis: { range: [-104, 104], tickvals: [-100, -50, 0, 50, 100], ticktext: ["−100", "−50", "0", "+50", "+100"], zeroline: true },
          yaxis: {
            type: "category",
            categoryorder: "array",
            categoryarray: items.map((item) => item.value),
            tickmode: "array",
            tickvals: items.map((item) => item.value),
            ticktext: items.map((item) => `${plain(label(dimension, item.value))}  <i>${item.few ? `${t("tooFew")} (${count(item.n)})` : count(item.n)}</i> `),
          },
        },
        `${t("nps")}: ${items.map((item) => `${label(dimension, item.value)} ${item.few ? t("tooFew") : signed(item.nps)}`).join("; ")}`,
      );
    }
    const lines = told(store, dimension);
    mark(words, "hidden", !lines.length);
    keep(words, lines, (item) => item.key, line);
    tabulate(
      details,
      [t(`by.${dimension}`), t("answers"), "NPS", t("interval"), ""],
      items.toReversed().map((item) => [label(dimension, item.value), count(item.n), signed(item.nps, 1), `${signed(item.low, 1)} … ${signed(item.high, 1)}`, item.few ? t("tooFew") : ""]),
    );
  }

  choice.addEventListener("change", render);
  details.addEventListener("toggle", render);
  return { kinds: ["nps", "nps_changes", "nps_actions"], render };
}
