// The follow-ups of the team: whom to call, with which words, by when; started and ended here.
import { answerOf, sendTo } from "./answer.js";
import { millis, percent, span, timeOfDay } from "./format.js";
import { el, hook, keep, mark, say } from "./dom.js";
import { either, t, touchpointWord, word } from "./texts.js";

const REST = 1000; // ms at least between two readings
const SLOW = 5000; // ms after which the list is read again even if nothing was heard
const OWNER = "touchline.owner";

/** Who works at this browser; kept there and nowhere else. */
function ownerField() {
  const field = el("input", { name: "owner", maxlength: 64, autocomplete: "username", "data-testid": "follow-up-owner", "data-label": "yourName", "aria-label": t("yourName"), placeholder: t("yourName") });
  try {
    field.value = localStorage.getItem(OWNER) ?? "";
  } catch {
    // a browser that keeps nothing asks again
  }
  field.addEventListener("change", () => {
    try {
      localStorage.setItem(OWNER, field.value.trim());
    } catch {
      // likewise
    }
  });
  return field;
}

function budgetText(budget) {
  return t("budgetLine", { team: word("pool", budget.team), s: budget.started, c: budget.capacity, o: budget.open, w: budget.waiting, r: percent(budget.threshold) });
}

function waveText(wave) {
  return t("waveLine", { k: word("wave", wave.kind), n: wave.name, t: timeOfDay(millis(wave.since), false), c: wave.customers, a: wave.affected, r: wave.reached });
}

function dueText(task, now) {
  const seconds = (millis(task.due_at) - now) / 1000;
  return seconds < 0 ? t("overdue", { t: span(-seconds) }) : t("due", { t: span(seconds) });
}

/** One follow-up. `act(task, how, outcome)` starts or ends it. */
function card(first, store, act) {
  let task = first;
  const when = el("span", { class: "when" });
  const who = el("span", { "data-testid": "follow-up-who" });
  const risk = el("span", { class: "quiet" });
  const words = el("blockquote", { class: "opening", "data-testid": "follow-up-opening" });
  const reasons = el("ul", { class: "reasons" });
  const note = el("input", { maxlength: 200, "aria-label": t("whatCame"), placeholder: t("whatCame"), autocomplete: "off", "data-testid": "follow-up-note" });
  const button = (how) => el("button", { type: "button", "data-testid": `follow-up-${how}`, on: { click: () => act(task, how, note.value.trim()) } }, t(`act.${how}`));
  const buttons = { claim: button("claim"), release: button("release"), done: button("done"), failed: button("failed") };
  const node = el(
    "li",
    { class: "flag task", "data-testid": "follow-up", "data-customer": task.customer_id },
    el("div", { class: "line" }, el("a", { href: `#customer=${encodeURIComponent(task.customer_id)}`, class: "who" }, task.customer_id), el("span", {}, touchpointWord(task.touchpoint)), risk, when),
    words,
    reasons,
    el("div", { class: "line acts" }, who, buttons.claim, buttons.release, note, buttons.done, buttons.failed),
  );
  let told = "";
  return {
    node,
    update(next) {
      task = next;
      const now = store.clock.now();
      mark(node, "data-due", millis(task.due_at) < now ? "overdue" : "open");
      mark(node, "data-owner", task.owner);
      say(when, `${dueText(task, now)} · ${t("dueAt", { t: timeOfDay(millis(task.due_at), false) })}`);
      say(risk, `${t("risk")} ${percent(task.risk)}`);
      say(who, task.owner ? t("ownedBy", { o: task.owner }) : task.supervisor ? t("withSupervisor", { s: task.supervisor }) : t("nobodyYet"));
      say(words, either({ zh: task.opening_zh, en: task.opening_en }));
      // What went to the supervisor can be taken over; all else has one owner.
      mark(buttons.claim, "hidden", Boolean(task.owner) && !task.supervisor);
      mark(buttons.release, "hidden", !task.owner);
      const reasonsNow = JSON.stringify(task.reasons);
      if (reasonsNow === told) return;
      told = reasonsNow;
      reasons.replaceChildren(...task.reasons.map((item) => el("li", { "data-reason": item.code }, el("span", {}, word("reason", item.code)), el("span", { class: "quiet" }, percent(item.weight)))));
    },
  };
}

/** The view; `show(true)` opens it, `show(false)` leaves it. */
export function makeFollowUps(store) {
  const place = hook("follow-ups");
  let open = false;
  let answer = null;
  let failure = ""; // why the list can't be read
  let refused = ""; // why what was pressed last did nothing: stays until the next press, whatever is read meanwhile
  let read = 0;
  let reading = false;
  let parts = null;

  function frame() {
    parts = { owner: ownerField(), budget: el("ul", { class: "quiet", "data-testid": "budgets" }), waves: el("ul", { class: "waves", "data-testid": "waves" }), words: el("p", { class: "empty", role: "status", "data-testid": "follow-ups-words" }), list: el("ol", { class: "flags tasks", "data-testid": "follow-up-list" }) };
    place.replaceChildren(
      el("a", { href: "#", class: "back", "data-testid": "follow-ups-back" }, t("back")),
      el("div", { class: "head" }, el("h2", { tabindex: "-1" }, t("followUps")), parts.owner),
      parts.budget,
      parts.waves,
      parts.words,
      parts.list,
    );
  }

  function tell() {
    if (!open) return;
    const tasks = answer?.follow_ups ?? [];
    say(parts.words, refused || failure || (answer ? t("noFollowUps") : t("loading")));
    parts.words.hidden = !refused && !failure && tasks.length > 0;
    parts.budget.replaceChildren(...(answer?.budgets ?? []).map((budget) => el("li", {}, budgetText(budget))));
    parts.waves.replaceChildren(...(answer?.waves ?? []).map((wave) => el("li", { "data-cause": `${wave.kind}:${wave.name}` }, waveText(wave))));
    keep(parts.list, tasks, (task) => task.follow_up_id, (task) => card(task, store, act));
  }

  async function readAll() {
    if (reading || !open) return;
    reading = true;
    read = performance.now();
    try {
      answer = await answerOf("v1/follow-ups");
      failure = "";
    } catch (error) {
      failure = error.message;
    }
    reading = false;
    tell();
  }

  async function act(task, how, outcome) {
    const owner = parts.owner.value.trim();
    if (!owner) {
      refused = t("sayWho");
      tell();
      parts.owner.focus();
      return;
    }
    try {
      await sendTo(`v1/follow-ups/${encodeURIComponent(task.follow_up_id)}/${how}`, outcome ? { owner, outcome } : { owner });
      refused = "";
    } catch (error) {
      refused = error.message;
      tell();
      return;
    }
    await readAll();
  }

  return {
    show(next) {
      if (next === open) return;
      open = next;
      answer = null;
      failure = "";
      refused = "";
      if (!open) {
        place.replaceChildren();
        return;
      }
      frame();
      tell();
      readAll();
    },
    /** In the other language, all is made anew. */
    retell() {
      if (!open) return;
      frame();
      tell();
    },
    render(changed) {
      if (!open) return;
      const rested = performance.now() - read;
      if (rested > SLOW || (changed.has("flag") && rested > REST)) readAll();
      else if (changed.has("tick")) tell();
    },
  };
}
