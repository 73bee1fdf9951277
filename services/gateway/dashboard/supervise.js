// A supervisor's part: a pool's mode with its switch, promises, who waits, seats; every command goes to the router, which writes it down.
import { answerOf, sendTo } from "./answer.js";
import { count, millis, span, stopwatch, timeOfDay } from "./format.js";
import { el, mark, say } from "./dom.js";
import { refusalKey } from "./supervise_texts.js";
import { t, word } from "./texts.js";

const SHOWN = 30; // of each list
const HUMAN = { managed: false, hand: "", by: "", reason: "", load: 0, enter: 0, leave: 0 };

const address = (pool) => `v1/pools/${encodeURIComponent(pool)}`;
const button = (text, testid, run, more = {}) => el("button", { type: "button", "data-testid": testid, on: { click: run }, ...more }, text);
const quiet = (text, more = {}) => el("p", { class: "quiet", ...more }, text);

function refusalWords(error) {
  const known = refusalKey(error.reason ?? "");
  return t("refusedBy", { r: known ? t(...known) : error.message });
}

/** What is so, since when and why; a supervisor's word is shown even where the mode was the same already. */
function modeWords(mode) {
  const since = mode.since ? t("modeSince", { t: timeOfDay(millis(mode.since), false) }) : "";
  const why = mode.hand ? t("modeByHand", { b: mode.by, r: mode.reason || "—" }) : mode.since ? t("modeByLoad") : "";
  return [since, why].filter(Boolean).join(" · ");
}

/** Rows of a list, the first ones, and how many more there are. */
function rows(tag, items, line, empty) {
  if (!items.length) return quiet(empty);
  const rest = items.length - SHOWN;
  return el(tag, { class: "rows" }, ...items.slice(0, SHOWN).map(line), rest > 0 ? el("li", { class: "quiet" }, t("more", { n: rest })) : null);
}

/** Makes the dialog; gives the function that opens it for a pool. `explain` shows why a contact was routed so. */
export function makeSupervise(store, explain) {
  const title = el("h2", { id: "h-supervise" });
  const close = el("button", { type: "button", "data-testid": "supervise-close" });
  const by = el("input", { id: "supervise-by", "data-testid": "supervise-by", autocomplete: "name", maxlength: "64" });
  const reason = el("input", { id: "supervise-reason", "data-testid": "supervise-reason", autocomplete: "off", maxlength: "200" });
  const byLabel = el("label", { for: "supervise-by" });
  const reasonLabel = el("label", { for: "supervise-reason" });
  const said = el("p", { class: "said", role: "status", tabindex: "-1", "data-testid": "supervise-said" });
  const rest = el("div", { class: "body", "data-testid": "supervise-body" });
  const dialog = el("dialog", { class: "drawer supervise", "data-testid": "supervise-dialog", "aria-labelledby": "h-supervise" }, el("div", { class: "head" }, title, close), el("div", { class: "asks" }, byLabel, by, reasonLabel, reason), said, rest);
  document.body.append(dialog);
  let shown = "";
  const picked = new Map(); // contact → the seat chosen for it: the lists are made anew while somebody chooses
  let told = 0; // the latest question, so that a slow answer doesn't overwrite a later one

  function tellOutcome(words, level) {
    say(said, words);
    mark(said, "data-level", level);
    if (words) said.scrollIntoView({ block: "nearest" });
  }

  /** Which control of the lists it is, in whichever of them: the same contact may wait and be promised a human. */
  const nameOf = (control) => [control.closest("li")?.dataset.testid, control.dataset.testid, control.dataset.of].join(" ");

  /** Makes the lists anew. The focus stays on its control; where that is gone it goes to what is said, not out of the dialog. */
  function renew(...parts) {
    const focused = rest.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    rest.replaceChildren(...parts);
    if (focused === null) return;
    const again = [...rest.querySelectorAll("button, select")].find((control) => nameOf(control) === focused) ?? said;
    again.focus({ preventScroll: true });
  }

  async function act(what, more) {
    const asked = shown;
    if (!by.value.trim()) {
      tellOutcome(t("nameFirst"), "bad");
      by.focus();
      return;
    }
    let outcome = [t("commandDone"), null];
    try {
      await sendTo(`${address(asked)}/${what}`, { ...more, by: by.value.trim(), reason: reason.value.trim() });
    } catch (error) {
      outcome = [refusalWords(error), "bad"];
    }
    if (asked !== shown) return;
    tellOutcome(...outcome);
    await tell();
  }

  function nowPart(pool) {
    const wait = Number.isFinite(pool.predicted_wait_s) ? t("waitForNext", { t: span(pool.predicted_wait_s) }) : t("waitUnknown");
    const standing = t("poolNow", { n: count(pool.waiting.length), o: count(pool.offered), s: count(pool.in_service) });
    return [quiet(`${standing} · ${wait}`, { class: "quiet now", "data-testid": "supervise-now" })];
  }

  function modePart(mode) {
    const chosen = mode.hand || "auto";
    const choice = (name) => button(t(`mode.${name}`), `mode-${name}`, () => act("mode", { mode: name }), { "aria-pressed": String(name === chosen) });
    const load = t(mode.enter > 0 ? "loadNow" : "loadOnly", { l: mode.load.toFixed(1), a: mode.enter, b: mode.leave });
    return [
      el("h3", {}, t("modeNow")),
      el("p", { "data-testid": "mode-now", "data-level": mode.managed ? "warn" : null }, t(mode.managed ? "modeManaged" : "modeHuman")),
      quiet(modeWords(mode), { "data-testid": "mode-why" }),
      quiet(load),
      el("p", { class: "modes", role: "group", "aria-label": t("modeNow") }, ...["managed", "human", "auto"].map(choice)),
    ];
  }

  function giveTo(contact, ready) {
    if (!ready.length) return [];
    const seat = el("select", { "data-testid": "assign-seat", "data-of": contact, "aria-label": t("assignTo", { c: contact }), on: { change: () => picked.set(contact, seat.value) } }, ...ready.map((id) => el("option", { value: id }, id)));
    if (ready.includes(picked.get(contact))) seat.value = picked.get(contact);
    return [seat, button(t("assign"), "assign", () => act("assign", { contact_id: contact, seat_id: seat.value }), { "data-of": contact })];
  }

  /** The contact, which opens its explanation, and what is to be known of it. */
  function contactPart(contact, name, facts) {
    return el("div", { class: "what" }, button(name || contact, "supervise-explain", () => explain(contact), { class: "plain", "data-of": contact, "aria-label": `${t("drawer")}: ${contact}` }), el("span", {}, facts.filter(Boolean).join(" · ")));
  }

  function debtsPart(pool, ready) {
    const line = (debt) => {
      const facts = [t("debtBy", { t: timeOfDay(millis(debt.due_at), false) }), word("debt", debt.kind), debt.called ? t("debtCalled") : ""];
      const what = contactPart(debt.contact_id, debt.customer_id, facts);
      if (debt.overdue) what.append(el("span", { class: "late" }, t("debtLate", { t: span((store.clock.now() - millis(debt.due_at)) / 1000) })));
      return el("li", { "data-testid": "debt", "data-level": debt.overdue ? "bad" : null }, what, ...giveTo(debt.contact_id, ready));
    };
    return [el("h3", {}, t("debtsOpen", { n: pool.debts_open })), rows("ol", pool.debts, line, t("noDebts"))];
  }

  function waitingPart(pool, ready) {
    const line = (one) => {
      const waited = (store.clock.now() - millis(one.queued_at)) / 1000;
      const facts = [t("waitsSince", { t: stopwatch(waited) }), t("waitsPriority", { p: one.priority.toFixed(1) }), one.call_back ? t("waitsCallBack") : "", one.parked ? t("waitsParked") : ""];
      return el("li", { "data-testid": "waits" }, contactPart(one.contact_id, store.contacts.get(one.contact_id)?.customer_id, facts), ...giveTo(one.contact_id, ready));
    };
    const none = pool.waiting.length && !ready.length ? quiet(t("noSeatReady")) : null;
    return [el("h3", {}, t("whoWaits", { n: pool.waiting.length })), none, rows("ol", pool.waiting, line, t("nobodyWaitsHere"))];
  }

  function seatsPart(pool) {
    const line = (seat) => {
      const facts = [word("seat", seat.state), t("seatHolds", { a: seat.contacts.length, b: seat.capacity })].join(" · ");
      const what = el("div", { class: "what" }, seat.seat_id, el("span", {}, facts));
      const leaving = seat.state === "draining" || seat.state === "signed_out";
      return el("li", { "data-testid": "seat", "data-seat": seat.seat_id }, what, leaving ? null : button(t("drain"), "drain", () => act("drain", { seat_id: seat.seat_id }), { "data-of": seat.seat_id, "aria-label": t("drainOf", { s: seat.seat_id }) }));
    };
    return [el("h3", {}, t("seatsNow", { n: pool.seats.length })), rows("ul", pool.seats, line, t("noSeats"))];
  }

  async function tell() {
    const mine = ++told;
    try {
      const pool = await answerOf(address(shown));
      if (mine !== told) return;
      const ready = pool.seats.filter((seat) => seat.state === "ready").map((seat) => seat.seat_id);
      const parts = [...nowPart(pool), ...modePart({ ...HUMAN, ...pool.mode }), ...debtsPart(pool, ready), ...waitingPart(pool, ready), ...seatsPart(pool)];
      renew(...parts.filter(Boolean));
    } catch (error) {
      if (mine === told) renew(el("p", { class: "empty", role: "status" }, error.message));
    }
  }

  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return async function open(pool) {
    shown = pool;
    picked.clear();
    tellOutcome("", null);
    say(title, t("superviseOf", { p: word("pool", pool) }));
    say(close, t("close"));
    say(byLabel, t("superviseBy"));
    say(reasonLabel, t("superviseReason"));
    rest.replaceChildren(quiet(t("loading")));
    if (!dialog.open) dialog.showModal();
    await tell();
  };
}
