// Why a contact was routed as it was: the router's own explanation, in the chosen language.
import { answerOf } from "./answer.js";
import { millis, moodText, timeOfDay } from "./format.js";
import { el, hook, outward } from "./dom.js";
import { either, t, touchpointWord, word } from "./texts.js";
import { traceAddress } from "./contacts.js";

function facts(contact) {
  const pairs = [
    [t("customer"), contact.customer_id],
    [t("state"), word("state", contact.state)],
    [t("channel"), word("channel", contact.channel)],
    [t("touchpoint"), touchpointWord(contact.touchpoint)],
    [t("taker"), [contact.pool ? word("pool", contact.pool) : "", contact.seat_id].filter(Boolean).join(" / ") || "—"],
    [t("rule"), contact.rule || "—"],
    [t("priority"), String(contact.priority ?? "—")],
    [t("mood"), moodText(contact.mood)],
  ];
  return el("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

const decision = (item) =>
  el("li", { "data-testid": "decision" }, el("span", { class: "at" }, `${timeOfDay(millis(item.at))} · ${word("kind", item.kind)}`), el("span", {}, either(item)));

/** The drawer; `open(contactId)` shows it, `retell()` tells it again (in another language). */
export function makeDrawer(store) {
  const dialog = hook("drawer");
  const body = hook("drawer-body");
  let shown = null; // {id, answer | error}

  function tell() {
    if (!shown) return;
    const contact = store.contacts.get(shown.id);
    const decisions = shown.answer?.decisions ?? [];
    const words = shown.error ? shown.error.message : shown.answer ? t("noDecisions") : t("loading");
    const parts = [el("p", { class: "quiet" }, shown.id)];
    if (contact) parts.push(facts(contact));
    if (decisions.length) parts.push(el("ol", { class: "decisions" }, ...decisions.map(decision)));
    else parts.push(el("p", { class: "empty", role: "status" }, words));
    if (contact) {
      const trace = outward(traceAddress(store, contact.trace_id), t("traceLong"));
      const journey = el("a", { href: `#customer=${encodeURIComponent(contact.customer_id)}`, on: { click: () => dialog.close() } }, t("seeJourney"));
      parts.push(el("p", { class: "out" }, journey, trace));
    }
    body.replaceChildren(...parts);
  }

  async function open(id) {
    const asked = (shown = { id });
    tell();
    if (!dialog.open) dialog.showModal();
    try {
      asked.answer = await answerOf(`v1/contacts/${encodeURIComponent(id)}/explain`);
    } catch (error) {
      asked.error = error;
    }
    if (shown === asked) tell();
  }

  hook("drawer-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => (shown = null));
  return { open, retell: tell };
}
