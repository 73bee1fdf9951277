// One customer's story: what was said, what was decided, how the mood went, in parts that follow the contacts.
import { answerOf } from "./answer.js";
import { chaptersOf } from "./chapters.js";
import { colour, draw, plain } from "./chart.js";
import { day, millis, moodClass, moodText, percent, signed, stopwatch, timeOfDay } from "./format.js";
import { el, hook, keep, outward } from "./dom.js";
import { either, t, touchpointWord, word } from "./texts.js";
import { figure, isOverdue } from "./summary.js";
import { traceAddress } from "./contacts.js";

const REST = 3000; // ms at least between two readings
const SLOW = 15_000; // ms after which it is read again even if nothing was heard of the customer

function figures(story, store) {
  const flag = store.flags.all().filter((item) => item.customer_id === story.customer_id).sort((a, b) => millis(b.flagged_at) - millis(a.flagged_at))[0];
  const nps = story.nps;
  const kind = nps >= 9 ? "promoter" : nps >= 7 ? "passive" : "detractor";
  const now = store.clock.now();
  const late = flag && isOverdue(flag, now);
  const left = flag ? Math.abs(millis(flag.due_at) - now) / 1000 : NaN;
  const flagDetail = !flag || flag.closed_at ? "" : t(late ? "overdue" : "due", { t: stopwatch(left) });
  return [
    { key: "moodNow", value: moodText(story.mood), mood: moodClass(story.mood) },
    { key: "lastNps", value: typeof nps === "number" ? t("outOf10", { n: nps }) : "—", detail: typeof nps === "number" ? t(`nps.${kind}`) : t("none") },
    { key: "riskNow", value: typeof story.risk === "number" ? percent(story.risk) : "—" },
    { key: "flagNow", value: !flag ? t("noFlag") : flag.closed_at ? t("closed", { o: word("outcome", flag.outcome) }) : touchpointWord(flag.touchpoint), detail: flagDetail, level: late ? "bad" : null },
  ];
}

/** The page's name for an id; the id itself where there is none, also for a topic of free words with a dot. */
function nameOf(group, id) {
  if (group !== "touch") return word(group, id);
  return id.split(".").some((part) => word("touch", part) === part) ? id : touchpointWord(id);
}

/** The text with the page's names in place of ids; each is looked for after the one before. */
function named(text, names) {
  let [done, rest] = ["", text];
  for (const [group, id] of names ?? []) {
    const at = id ? rest.indexOf(id) : -1;
    if (at < 0) continue;
    done += rest.slice(0, at) + nameOf(group, id);
    rest = rest.slice(at + id.length);
  }
  return done + rest;
}

/** The step's words; a flag's reasons come as codes in brackets. */
function words(step) {
  const text = named(either(step.speech ?? step), step.names);
  if (step.kind !== "flagged") return text;
  return text.replace(/([(（])([a-z_, ]+)([)）])/g, (_, left, codes, right) => left + codes.split(/,\s*/).map((code) => word("reason", code)).join(t("comma")) + right);
}

/** True where the score says itself that it may be wrong: then its sign is no mood. */
const unsure = (step) => (step.score ?? step).label === "unsure";

function stepNode(step) {
  const mood = step.kind === "said" || step.kind === "scored" ? (unsure(step) ? "unsure" : moodClass(step.polarity)) : null;
  const who = step.speech?.speaker;
  return el(
    "li",
    { class: "step", "data-testid": "step", "data-kind": step.kind, "data-speaker": who },
    el("time", { datetime: step.at, title: day(millis(step.at)) }, timeOfDay(millis(step.at))),
    el("span", { class: "kind" }, who ? t(`speaker.${who}`) : word("kind", step.kind)),
    el("span", { class: "text" }, words(step)),
    mood ? el("span", { class: "chip", "data-mood": mood, "data-testid": "step-mood", title: step.score ? either(step.score) : null }, mood === "unsure" ? `${signed(step.polarity, 2)} ${t("mood.unsure")}` : moodText(step.polarity)) : null,
  );
}

/** The trace of all steps, where they share one: then the story is one trace as well. */
function oneTrace(steps) {
  const found = new Set(steps.map((step) => step.trace_id).filter(Boolean));
  return found.size === 1 ? [...found][0] : null;
}

function chapterNode(chapter, store, shared) {
  const contact = store.contacts.get(chapter.contact);
  const first = millis(chapter.steps[0].at);
  // The floor keeps the last contacts only; the steps know as well.
  const told = (field) => contact?.[field] ?? chapter.steps.find((step) => step[field])?.[field];
  const about = chapter.contact ? [word("channel", told("channel")), touchpointWord(told("touchpoint"))].filter((text) => text && text !== "—") : [];
  const heading = chapter.contact ? t("chapterContact", { n: chapter.number, w: about.join(" · ") || chapter.contact }) : t(`chapter${chapter.place}`);
  const traceId = chapter.steps.find((step) => step.trace_id)?.trace_id ?? contact?.trace_id;
  return el(
    "section",
    { class: chapter.contact ? "chapter" : "chapter other", "data-testid": "chapter" },
    el("div", { class: "line" }, el("h3", {}, heading), el("span", { class: "when" }, `${day(first)} ${timeOfDay(first, false)}`), shared ? null : outward(traceAddress(store, traceId), t("traceLong"), { "data-testid": "journey-trace" })),
    el("ol", { class: "steps" }, ...chapter.steps.map(stepNode)),
  );
}

const LABEL = 64; // px that a mark's label takes at most
const ROW = 14; // px

/** The row of each mark's label, 0 the lowest, so that none stands on another. across: px of one step along the axis. */
function rowsOf(marks, across) {
  const ends = [];
  return marks.map((item) => {
    const at = item.x * across;
    const free = ends.findIndex((end) => end <= at - LABEL);
    const row = free < 0 ? ends.length : free;
    ends[row] = at;
    return row;
  });
}

function drawMood(node, chapters) {
  const points = [];
  const bands = [];
  const marks = [];
  for (const chapter of chapters) {
    const from = points.length;
    for (const step of chapter.steps) {
      if (typeof step.polarity === "number" && (step.kind === "said" || step.kind === "scored")) points.push({ ...step, number: chapter.number });
      else if (step.kind === "flagged" || step.kind === "survey") marks.push({ x: points.length - 0.5, kind: step.kind });
    }
    if (points.length > from) bands.push({ from: from - 0.5, to: points.length - 0.5, number: chapter.number, at: chapter.steps[0].at });
  }
  if (!points.length) return false;
  marks.sort((a, b) => a.x - b.x);
  const rows = rowsOf(marks, (node.clientWidth || 900) / (points.length + 0.2));
  const tone = { flagged: "bad", survey: "series-2" };
  draw(
    node,
    [
      {
        type: "scatter",
        mode: "lines+markers",
        x: points.map((_, index) => index),
        y: points.map((point) => point.polarity),
        line: { color: colour("quiet"), width: 1.5, shape: "spline", smoothing: 0.6 },
        marker: { size: 11, color: points.map((point) => colour(unsure(point) ? "unsure" : point.polarity <= -0.15 ? "negative" : point.polarity < 0.15 ? "neutral" : "positive")), line: { color: colour("surface"), width: 1.5 } },
        customdata: points.map((point) => [timeOfDay(millis(point.at)), `${signed(point.polarity, 2)}${unsure(point) ? ` ${t("mood.unsure")}` : ""}`, plain(words(point).slice(0, 60))]),
        hovertemplate: "%{customdata[0]} · %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
      },
    ],
    {
      showlegend: false,
      margin: { l: 10, r: 14, t: 22 + ROW * Math.max(0, ...rows), b: 8 },
      xaxis: { range: [-0.6, points.length - 0.4], showgrid: false, zeroline: false, tickvals: bands.map((band) => (band.from + band.to) / 2), ticktext: bands.map((band) => timeOfDay(millis(band.at), false)) },
      yaxis: { range: [-1.08, 1.08], tickvals: [-1, 0, 1], ticktext: [t("mood.veryLow"), t("mood.mid"), t("mood.veryHigh")], zeroline: true },
      shapes: [
        ...bands.filter((_, index) => index % 2 === 0).map((band) => ({ type: "rect", layer: "below", x0: band.from, x1: band.to, yref: "paper", y0: 0, y1: 1, fillcolor: colour("sunken"), line: { width: 0 } })),
        ...marks.map((item) => ({ type: "line", x0: item.x, x1: item.x, yref: "paper", y0: 0, y1: 1, line: { color: colour(tone[item.kind]), width: 1.5, dash: "dot" } })),
      ],
      annotations: marks.map((item, index) => ({ x: item.x, yshift: ROW * rows[index], yref: "paper", y: 1, yanchor: "bottom", showarrow: false, text: word("kind", item.kind), font: { size: 11, color: colour(tone[item.kind]) } })),
    },
    `${t("moodCurve")}: ${points.map((point) => signed(point.polarity, 1)).join(", ")}`,
  );
  return true;
}

/** The view of one customer; `show(id)` opens it, `show(null)` leaves it. */
export function makeJourney(store) {
  const place = hook("journey");
  let id = null;
  let story = null;
  let failure = null;
  let told = "";
  let read = 0;
  let reading = false;
  let parts = null;

  function frame() {
    parts = { story: el("span", { class: "quiet" }), trace: el("span", { class: "trace" }), summary: el("div", { class: "summary" }), chart: el("div", { class: "chart", role: "img", "data-testid": "chart-mood" }), calm: el("p", { class: "empty" }, t("noMood")), chapters: el("div", { "data-testid": "chapters" }), words: el("p", { class: "empty", role: "status", "data-testid": "journey-words" }) };
    parts.whole = el("div", {}, parts.summary, el("section", { class: "panel" }, el("div", { class: "head" }, el("h2", {}, t("moodCurve"))), parts.chart, parts.calm), parts.chapters);
    place.replaceChildren(
      el("a", { href: "#", class: "back", "data-testid": "back" }, t("back")),
      el("div", { class: "title" }, el("h2", { tabindex: "-1", "data-testid": "journey-title" }, `${t("journey")} · ${id}`), parts.story, parts.trace),
      parts.words,
      parts.whole,
    );
    told = "";
  }

  function tell() {
    if (id === null) return;
    parts.words.hidden = Boolean(story?.steps?.length);
    parts.whole.hidden = !story?.steps?.length;
    parts.words.textContent = failure ? failure.message : story ? t("noJourney") : t("loading");
    if (!story?.steps?.length) return;
    keep(parts.summary, figures(story, store), (item) => item.key, figure);
    const chapters = chaptersOf(story.steps);
    // Told anew only when there is something new, so that reading and selecting go on undisturbed.
    const now = JSON.stringify([story.steps, chapters.map((chapter) => store.contacts.get(chapter.contact)?.channel), Boolean(store.status?.traces_url)]);
    if (now === told) return;
    told = now;
    const ends = [story.steps[0].at, story.steps.at(-1).at].map(millis);
    parts.story.textContent = t("story", { a: `${day(ends[0])} ${timeOfDay(ends[0], false)}`, b: `${day(ends[1])} ${timeOfDay(ends[1], false)}`, n: story.steps.length });
    const drawn = drawMood(parts.chart, chapters);
    parts.chart.hidden = !drawn;
    parts.calm.hidden = drawn;
    const shared = oneTrace(story.steps);
    const link = shared && outward(traceAddress(store, shared), t("traceWhole"), { "data-testid": "journey-trace" });
    parts.trace.replaceChildren(...(link ? [link] : []));
    parts.chapters.replaceChildren(...chapters.map((chapter) => chapterNode(chapter, store, shared)));
  }

  async function readStory() {
    if (reading) return;
    reading = true;
    read = performance.now();
    const asked = id;
    try {
      const answer = await answerOf(`v1/customers/${encodeURIComponent(asked)}/journey`);
      if (asked === id) [story, failure] = [answer, null];
    } catch (error) {
      if (asked === id) failure = error;
    }
    reading = false;
    if (asked === id) tell();
    else if (id !== null) readStory();
  }

  function show(next) {
    if (next === id) return;
    [id, story, failure, parts] = [next, null, null, null];
    if (id === null) {
      place.replaceChildren();
      return;
    }
    frame();
    tell();
    readStory();
    place.querySelector("h2").focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  return {
    show,
    retell() {
      if (id === null) return;
      frame();
      tell();
    },
    redraw() {
      told = "";
      tell();
    },
    /** Called about twice a second with what changed. */
    render(changed) {
      if (id === null) return;
      const rested = performance.now() - read;
      if (rested > SLOW || (rested > REST && (changed.has("contact") || changed.has("flag") || failure))) readStory();
      else tell();
    },
  };
}
