// Wires the page: the stream feeds the store, the panels follow it, at most twice a second.
import { onRedraw } from "./chart.js";
import { contactsPanel } from "./contacts.js";
import { makeDrawer } from "./drawer.js";
import { flagsPanel } from "./flags.js";
import { makeFollowUps } from "./followups.js";
import { day, timeOfDay } from "./format.js";
import { forget, hook, mark, say } from "./dom.js";
import { makeJourney } from "./journey.js";
import { npsPanel } from "./nps.js";
import { poolsPanel } from "./pools.js";
import { sentimentPanel } from "./sentiment.js";
import { servicesPanel } from "./services.js";
import { Store } from "./store.js";
import { listen } from "./stream.js";
import { summaryPanel } from "./summary.js";
import { choose, language, onLanguage, t } from "./texts.js";

const BEAT = 500; // ms between two renderings
const ALL = new Set(["all", "tick", "status", "contact", "flag", "pool", "routing", "sentiment", "nps", "nps_changes", "nps_actions", "escalation"]);

const store = new Store();
const drawer = makeDrawer(store);
const journey = makeJourney(store);
const followUps = makeFollowUps(store);
const panels = [
  summaryPanel(store),
  poolsPanel(store, drawer.open),
  flagsPanel(store),
  contactsPanel(store, drawer.open),
  servicesPanel(store),
  sentimentPanel(store),
  npsPanel(store),
];
let link = "connecting";
let held = false;
let chartsMissing = false;
let beats = 0;
let pending = new Set();

function showClock() {
  const now = store.clock.now();
  say(hook("clock"), timeOfDay(now));
  say(hook("day"), day(now));
}

function showBanner() {
  const words = link === "away" ? t("away") : link === "connecting" ? t("connecting") : held ? t("held") : chartsMissing ? t("noCharts") : "";
  say(hook("banner"), words);
  mark(hook("banner"), "hidden", !words);
  mark(hook("banner"), "data-link", link);
}

function render(changed) {
  showClock();
  const onFloor = !hook("floor").hidden;
  for (const panel of panels) {
    if (onFloor && panel.kinds.some((kind) => changed.has(kind))) panel.render(changed);
  }
  // The header's line on health stands above every view.
  if (!onFloor && changed.has("tick")) panels[4].render(changed);
  journey.render(changed);
  followUps.render(changed);
}

function beat() {
  beats += 1;
  for (const kind of store.changes()) pending.add(kind);
  // Clocks and countdowns move once a second.
  if (beats % 2 === 0) pending.add("tick");
  if (held || document.hidden || !pending.size) return;
  const changed = pending;
  pending = new Set();
  render(changed);
}

function showTexts() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const node of document.querySelectorAll("[data-text]")) say(node, t(node.dataset.text));
  for (const node of document.querySelectorAll("[data-label]")) mark(node, "aria-label", t(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) mark(node, "placeholder", t(node.dataset.placeholder));
  for (const node of document.querySelectorAll("[data-language]")) mark(node, "aria-pressed", String(node.dataset.language === language()));
  hook("to-broadcast").href = `v1/nps/report?lang=${language()}`;
  showPause();
  showBanner();
}

function showPause() {
  say(hook("pause"), t(held ? "resume" : "pause"));
  mark(hook("pause"), "aria-pressed", String(held));
}

/** The customer that the address asks for, or null. */
function asked() {
  const found = new URLSearchParams(location.hash.slice(1)).get("customer");
  return found ? found : null;
}

function follow() {
  const customer = asked();
  const tasks = location.hash === "#follow-ups";
  hook("floor").hidden = customer !== null || tasks;
  hook("follow-ups").hidden = !tasks;
  hook("journey").hidden = customer === null;
  journey.show(customer);
  followUps.show(tasks);
  render(ALL);
}

function again() {
  render(ALL);
  journey.redraw();
}

onLanguage(() => {
  showTexts();
  for (const name of ["pools", "flags"]) forget(hook(name));
  journey.retell();
  followUps.retell();
  drawer.retell();
  render(ALL);
});
for (const node of document.querySelectorAll("[data-language]")) node.addEventListener("click", () => choose(node.dataset.language));
hook("pause").addEventListener("click", () => {
  held = !held;
  showPause();
  showBanner();
});
hook("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const customer = hook("find-customer").value.trim();
  if (customer) location.hash = `customer=${encodeURIComponent(customer)}`;
});
addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", () => document.hidden || again());
onRedraw(again, () => {
  chartsMissing = true;
  showBanner();
});

showTexts();
follow();
listen("v1/stream", store, (state) => {
  link = state;
  showBanner();
});
setInterval(beat, BEAT);
