// Drawing with Plotly in the page's own colours. Labels come from outside: none may be read as markup.
import { el, mark, table } from "./dom.js";

/** A colour of the style sheet, as it is now (light or dark). */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** The colour of the n-th of a set of series. */
export const seriesColour = (index) => `series-${(index % 6) + 1}`;

/** Plotly reads a little HTML in labels; this takes it away. */
export const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false, doubleClick: "reset" };

function layoutOf(own) {
  const axis = { gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("line"), automargin: true, fixedrange: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 10, r: 14, t: 8, b: 8 },
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
    hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: colour("ink") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("quiet") } },
    ...own,
    xaxis: { ...axis, ...own.xaxis },
    yaxis: { ...axis, ...own.yaxis },
  };
}

/** Draws or redraws; does nothing before Plotly is there (the caller draws again when it is). */
export function draw(node, traces, layout, summary) {
  mark(node, "aria-label", summary);
  if (!globalThis.Plotly) return;
  Plotly.react(node, traces, layoutOf(layout), CONFIG);
  node.dataset.drawn = String(Number(node.dataset.drawn ?? 0) + 1);
}

/** Fills the table beside a chart, if somebody has opened it. */
export function tabulate(details, heads, rows) {
  if (details.open) details.querySelector(".scroll").replaceChildren(table(heads, rows));
}

/** Calls back when the colours or Plotly's presence change. */
export function onRedraw(redraw, missing) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const script = document.getElementById("plotly");
  if (globalThis.Plotly) return;
  script.addEventListener("load", redraw);
  script.addEventListener("error", missing);
}

export const blank = () => el("span", { class: "quiet" }, "—");
