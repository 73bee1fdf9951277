// NPS by segment with its interval; where there are too few answers, that is said in words.
import { colour, draw, plain, tabulate } from "./chart.js";
import { count, signed } from "./format.js";
import { hook, mark } from "./dom.js";
import { t, touchpointWord, word } from "./texts.js";
import { FEW } from "./summary.js";

const MOST = 14; // segments shown, those with most answers first

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

/** The panel. */
export function npsPanel(store) {
  const chart = hook("chart-nps");
  const details = hook("table-nps");
  const choice = hook("nps-dimension");

  function render() {
    const dimension = choice.value;
    const items = segments(store, dimension);
    const overall = store.series("nps", "", "ALL").get("")?.at(-1);
    mark(hook("nps-empty"), "hidden", items.length > 0);
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
    tabulate(
      details,
      [t(`by.${dimension}`), t("answers"), "NPS", t("interval"), ""],
      items.toReversed().map((item) => [label(dimension, item.value), count(item.n), signed(item.nps, 1), `${signed(item.low, 1)} … ${signed(item.high, 1)}`, item.few ? t("tooFew") : ""]),
    );
  }

  choice.addEventListener("change", render);
  details.addEventListener("toggle", render);
  return { kinds: ["nps"], render };
}
