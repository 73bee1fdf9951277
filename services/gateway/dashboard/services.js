// Health and lag of each service, and of all together.
import { count } from "./format.js";
import { el, hook, keep, mark, say } from "./dom.js";
import { t, word } from "./texts.js";

const BEHIND = 100; // records from which a service is said to be catching up
const STALE = 10_000; // ms after which the last status says nothing any more

const levelOf = (service) => (!service.healthy ? "bad" : (service.lag ?? 0) + (service.backlog ?? 0) > BEHIND ? "warn" : "good");
const WORDS = { good: "well", warn: "behind", bad: "ill" };

/** All services together: a level and the words for it. */
function overall(store) {
  const entries = Object.entries(store.status?.services ?? {});
  if (!entries.length || performance.now() - store.heard > STALE) return { level: "unknown", text: t("unknownHealth") };
  const ill = entries.filter(([, service]) => !service.healthy).map(([name]) => word("service", name));
  if (ill.length) return { level: "bad", text: t("unhealthy", { n: ill.length, names: ill.join(", ") }) };
  const behind = entries.filter(([, service]) => levelOf(service) === "warn");
  const n = behind.reduce((sum, [, service]) => sum + (service.lag ?? 0) + (service.backlog ?? 0), 0);
  return behind.length ? { level: "warn", text: t("catchingUp", { n: count(n) }) } : { level: "good", text: t("healthy") };
}

function row([name]) {
  const state = el("span", { class: "dot", "data-testid": "service-state" });
  const label = el("td");
  const lag = el("td", { class: "number", "data-testid": "service-lag" });
  const backlog = el("td", { class: "number" });
  return {
    node: el("tr", { "data-testid": "service", "data-service": name }, label, el("td", {}, state), lag, backlog),
    update([, service]) {
      say(label, word("service", name));
      say(state, t(WORDS[levelOf(service)]));
      mark(state, "data-level", levelOf(service));
      say(lag, count(service.lag));
      say(backlog, count(service.backlog));
    },
  };
}

/** The panel, and the line in the header. */
export function servicesPanel(store) {
  const body = hook("services").tBodies[0];
  const health = hook("health");
  return {
    kinds: ["status", "tick"],
    render() {
      const { level, text } = overall(store);
      say(health, text);
      mark(health, "title", text);
      mark(health, "data-level", level);
      const entries = Object.entries(store.status?.services ?? {}).slice(0, 40);
      keep(body, entries, ([name]) => name, row);
      mark(hook("services-empty"), "hidden", entries.length > 0);
      mark(hook("services"), "hidden", !entries.length);
    },
  };
}
