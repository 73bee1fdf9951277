// A supervisor's part: a pool's mode with its switch, promises, who waits, seats; every command goes to the router, which writes it down.
import { answerOf } from "./answer.js";
import { millis, timeOfDay } from "./format.js";
import { el } from "./dom.js";
import { t, word } from "./texts.js";

const PATIENCE = 8000; // ms
const SHOWN = 30; // of each list

async function command(pool, what, body) {
  const response = await fetch(`v1/pools/${encodeURIComponent(pool)}/${what}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (response.ok) return t("done");
  const answer = await response.json().catch(() => ({}));
  return t("refusedBy", { r: answer.error ?? response.status });
}

function modeWords(mode) {
  const what = t(mode.managed ? "modeManaged" : "modeHuman");
  if (!mode.since) return what;
  const why = mode.hand ? t("modeByHand", { b: mode.by, r: mode.reason || "—" }) : t("modeByLoad");
  return t("modeSince", { m: what, t: timeOfDay(millis(mode.since)), w: why });
}

/** Makes the dialog; gives the function that opens it for a pool. */
export function makeSupervise() {
  const title = el("h2", { id: "h-supervise" });
  const body = el("div", { class: "body", "data-testid": "supervise-body" });
  const close = el("button", { type: "button", "data-testid": "supervise-close" });
  const dialog = el("dialog", { class: "drawer", "data-testid": "supervise-dialog", "aria-labelledby": "h-supervise" }, el("div", { class: "head" }, title, close), body);
  document.body.append(dialog);
  const by = el("input", { "data-testid": "supervise-by", autocomplete: "name", maxlength: "64" });
  const reason = el("input", { "data-testid": "supervise-reason", autocomplete: "off", maxlength: "200" });
  const said = el("p", { role: "status", "data-testid": "supervise-said" });
  let shown = "";

  async function act(what, more) {
    if (!by.value.trim()) {
      said.textContent = t("nameFirst");
      by.focus();
      return;
    }
    try {
      said.textContent = await command(shown, what, { ...more, by: by.value.trim(), reason: reason.value.trim() });
    } catch (error) {
      said.textContent = t("notNow", { s: error.name });
    }
    await tell();
  }

  const button = (text, testid, run) => el("button", { type: "button", "data-testid": testid, on: { click: run } }, text);

  function modePart(mode) {
    const choice = (name, text) => button(t(text), `mode-${name}`, () => act("mode", { mode: name }));
    const load = t("loadNow", { l: mode.load.toFixed(1), a: mode.enter || "—", b: mode.leave });
    return [el("h3", {}, t("modeNow")), el("p", { "data-testid": "mode-now" }, modeWords(mode)), el("p", { class: "quiet" }, load), el("p", { class: "out" }, choice("managed", "modeManaged"), choice("human", "modeHuman"), choice("auto", "modeAuto"))];
  }

  function debtsPart(pool) {
    const line = (debt) => el("li", { "data-testid": "debt" }, t("debtLine", { c: debt.customer_id, t: timeOfDay(millis(debt.due_at)), l: debt.overdue ? t("debtLate") : "" }));
    const list = pool.debts.length ? el("ol", {}, ...pool.debts.slice(0, SHOWN).map(line)) : el("p", { class: "quiet" }, t("noDebts"));
    return [el("h3", {}, t("debtsOpen", { n: pool.debts_open })), list];
  }

  function waitingPart(pool) {
    const ready = pool.seats.filter((seat) => seat.state === "ready").map((seat) => seat.seat_id);
    const line = (one) => {
      const seat = el("select", { "aria-label": t("assignTo") }, ...ready.map((id) => el("option", { value: id }, id)));
      const give = button(t("assignTo"), "assign", () => act("assign", { contact_id: one.contact_id, seat_id: seat.value }));
      return el("li", { "data-testid": "waits" }, `${one.contact_id} `, ready.length ? seat : "", ready.length ? give : "");
    };
    return [el("h3", {}, t("whoWaits", { n: pool.waiting.length })), el("ol", {}, ...pool.waiting.slice(0, SHOWN).map(line))];
  }

  function seatsPart(pool) {
    const line = (seat) => el("li", { "data-testid": "seat" }, `${seat.seat_id} · ${seat.state} · ${seat.contacts.length}/${seat.capacity} `, seat.state === "draining" ? "" : button(t("drain"), "drain", () => act("drain", { seat_id: seat.seat_id })));
    return [el("h3", {}, t("seatsNow", { n: pool.seats.length })), el("ul", {}, ...pool.seats.slice(0, SHOWN).map(line))];
  }

  async function tell() {
    const asked = shown;
    const name = el("label", {}, t("yourName"), " ", by);
    const why = el("label", {}, t("yourReason"), " ", reason);
    const top = [el("p", {}, name), el("p", {}, why), said];
    try {
      const pool = await answerOf(`v1/pools/${encodeURIComponent(asked)}`);
      if (asked !== shown) return;
      body.replaceChildren(...top, ...modePart(pool.mode ?? { managed: false, load: 0, enter: 0, leave: 0 }), ...debtsPart(pool), ...waitingPart(pool), ...seatsPart(pool));
    } catch (error) {
      if (asked === shown) body.replaceChildren(...top, el("p", { class: "empty", role: "status" }, error.message));
    }
  }

  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return async function open(pool) {
    shown = pool;
    said.textContent = "";
    title.textContent = t("superviseOf", { p: word("pool", pool) });
    close.textContent = t("close");
    if (!dialog.open) dialog.showModal();
    await tell();
  };
}
