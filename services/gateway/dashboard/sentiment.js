// Sentiment by touchpoint: of what customers said there, how much was negative and how much positive.
import { colour, draw, plain, tabulate } from "./chart.js";
import { count, percent, signed } from "./format.js";
import { hook, mark } from "./dom.js";
import { t, touchpointWord } from "./texts.js";
import { total } from "./summary.js";

const LABELS = ["negative", "unsure", "neutral", "positive"];
const MOST = 10; // touchpoints shown, those with most messages first
const HOUR = 3600_000;

/** By touchpoint, in that span: counts, their sum n and the mean polarity; most negative first. */
function shares(store, span) {
  const since = span === "hour" ? store.clock.now() - HOUR : -Infinity;
  const found = [];
  for (const [touchpoint, rows] of store.series("sentiment", "touchpoint", "PT1M")) {
    const sum = total(rows.filter((row) => !(row.at < since)));
    const n = LABELS.reduce((all, label) => all + (sum[label] ?? 0), 0);
    if (n) found.push({ touchpoint, sum, n, mean: (sum.polarity_milli ?? 0) / 1000 / n });
  }
  const most = found.sort((a, b) => b.n - a.n).slice(0, MOST);
  return most.sort((a, b) => (a.sum.negative ?? 0) / a.n - (b.sum.negative ?? 0) / b.n);
}

/** The panel. */
export function sentimentPanel(store) {
  const chart = hook("chart-sentiment");
  const details = hook("table-sentiment");
  const span = hook("sentiment-span");

  function render() {
    const items = shares(store, span.value);
    mark(hook("sentiment-empty"), "hidden", items.length > 0);
    mark(chart, "hidden", !items.length);
    const names = items.map((item) => plain(touchpointWord(item.touchpoint)));
    const traces = LABELS.map((label) => ({
      type: "bar",
      orientation: "h",
      name: t(label),
      y: items.map((item) => item.touchpoint),
      x: items.map((item) => (100 * (item.sum[label] ?? 0)) / item.n),
      customdata: items.map((item) => [item.sum[label] ?? 0, item.n, signed(item.mean, 2)]),
      marker: { color: colour(label) },
      hovertemplate: "%{customdata[0]} / %{customdata[1]} (%{x:.0f}%) · %{customdata[2]}",
    }));
    if (items.length) {
      draw(
        chart,
        traces,
        {
          barmode: "stack",
          bargap: 0.36,
          showlegend: true,
          legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", font: { color: colour("quiet") } },
          xaxis: { range: [0, 101], tickvals: [0, 25, 50, 75, 100], ticktext: ["0%", "25%", "50%", "75%", "100%"] },
          yaxis: { type: "category", tickmode: "array", tickvals: items.map((item) => item.touchpoint), ticktext: names.map((name, index) => `${name}  <i>${count(items[index].n)}</i> `) },
        },
        `${t("sentiment")}: ${items.map((item) => `${touchpointWord(item.touchpoint)} ${t("negative")} ${percent((item.sum.negative ?? 0) / item.n)}`).join("; ")}`,
      );
    }
    tabulate(
      details,
      [t("touchpoint"), t("messages"), t("negative"), t("unsure"), t("neutral"), t("positive"), t("mood")],
      items.toReversed().map((item) => [touchpointWord(item.touchpoint), count(item.n), ...LABELS.map((label) => count(item.sum[label] ?? 0)), signed(item.mean, 2)]),
    );
  }

  span.addEventListener("change", render);
  details.addEventListener("toggle", render);
  return { kinds: ["sentiment"], render };
}
