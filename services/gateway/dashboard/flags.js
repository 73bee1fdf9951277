// The complaints about to escalate: why, and by when somebody must have followed up.
import { millis, percent, span, timeOfDay } from "./format.js";
import { el, hook, keep, mark, outward, say } from "./dom.js";
import { t, touchpointWord, word } from "./texts.js";
import { isOverdue } from "./summary.js";
import { traceAddress } from "./contacts.js";

const MOST = 60; // flags shown

/** How a flag stands at that time: "open", "overdue" or "closed". */
const standing = (flag, now) => (flag.closed_at ? "closed" : isOverdue(flag, now) ? "overdue" : "open");

/** Those that are open by their due time (so overdue ones first), then those closed last. */
function inOrder(flags) {
  const open = flags.filter((flag) => !flag.closed_at).sort((a, b) => millis(a.due_at) - millis(b.due_at));
  const closed = flags.filter((flag) => flag.closed_at).sort((a, b) => millis(b.closed_at) - millis(a.closed_at));
  return [...open, ...closed].slice(0, MOST);
}

/** In words, how long there is left, by how much it is late, or what came of it. */
function dueText(flag, now) {
  if (flag.closed_at) return t(flag.overdue ? "closedLate" : "closed", { o: word("outcome", flag.outcome) });
  const seconds = (millis(flag.due_at) - now) / 1000;
  if (!Number.isFinite(seconds)) return "";
  return seconds < 0 ? t("overdue", { t: span(-seconds) }) : t("due", { t: span(seconds) });
}

const reason = (item) =>
  el(
    "li",
    { "data-reason": item.code },
    el("span", {}, word("reason", item.code)),
    el("meter", { min: 0, max: 1, value: item.weight ?? 0, "aria-label": percent(item.weight), title: percent(item.weight) }),
  );

function card(flag, store) {
  const when = el("span", { class: "when", "data-testid": "flag-due" });
  const due = el("span");
  const reasons = el("ul", { class: "reasons", "data-label": "why" });
  const touchpoint = el("span");
  const risk = el("span", { class: "quiet" });
  const trace = el("span");
  const node = el(
    "li",
    { class: "flag", "data-testid": "flag", "data-customer": flag.customer_id },
    el("div", { class: "line" }, el("a", { href: `#customer=${encodeURIComponent(flag.customer_id)}`, class: "who" }, flag.customer_id), touchpoint, when),
    reasons,
    el("div", { class: "foot" }, risk, due, trace),
  );
  let told = "";
  return {
    node,
    update(next) {
      const now = store.clock.now();
      mark(node, "data-due", standing(next, now));
      say(when, dueText(next, now));
      say(touchpoint, touchpointWord(next.touchpoint));
      say(risk, `${t("risk")} ${percent(next.risk)}`);
      say(due, t("dueAt", { t: timeOfDay(millis(next.due_at), false) }));
      const reasonsNow = JSON.stringify([next.reasons, next.trace_id, t("why")]);
      if (reasonsNow === told) return;
      told = reasonsNow;
      reasons.replaceChildren(...[...(next.reasons ?? [])].sort((a, b) => b.weight - a.weight).map(reason));
      trace.replaceChildren(...[outward(traceAddress(store, next.trace_id), t("trace"))].filter(Boolean));
    },
  };
}

/** The panel. New flags are read out once; those of the snapshot are not. */
export function flagsPanel(store) {
  const list = hook("flags");
  const announce = hook("announce");
  const seen = new Set();
  const opened = performance.now();

  function tellNew(flags) {
    const fresh = flags.filter((flag) => !seen.has(flag.follow_up_id) && !flag.closed_at);
    for (const flag of flags) seen.add(flag.follow_up_id);
    if (fresh.length && performance.now() - opened > 5000) {
      say(announce, t("newFlag", { c: fresh[0].customer_id, p: touchpointWord(fresh[0].touchpoint) }));
    }
    if (seen.size > 5000) seen.clear();
  }

  function render() {
    const flags = inOrder(store.flags.all());
    tellNew(flags);
    keep(list, flags, (flag) => flag.follow_up_id, (flag) => card(flag, store));
    mark(hook("flags-empty"), "hidden", flags.length > 0);
    const open = flags.filter((flag) => !flag.closed_at).length;
    say(hook("flag-count"), flags.length ? `${open}` : "");
  }
  return { kinds: ["flag", "tick"], render };
}
