// Recent contacts and who took them.
import { count, millis, moment, moodClass, moodText, stopwatch } from "./format.js";
import { el, hook, keep, mark, outward, say } from "./dom.js";
import { all, t, touchpointWord, word } from "./texts.js";

const STATES = Object.keys(all()).filter((key) => key.startsWith("state.")).map((key) => key.slice(6));

/** Where a trace can be seen; null where there is none. */
export function traceAddress(store, traceId) {
  const base = store.status?.traces_url;
  return base && traceId ? `${base.replace(/\/+$/, "")}/zipkin/traces/${encodeURIComponent(traceId)}` : null;
}

/** The pool and the seat; the seat alone where its name begins with the pool's. */
function takerText(contact) {
  if (contact.seat_id && contact.pool && contact.seat_id.startsWith(contact.pool)) return contact.seat_id;
  return [contact.pool ? word("pool", contact.pool) : "", contact.seat_id].filter(Boolean).join(" / ") || "—";
}

/** How long the customer waited, in seconds; for those who still wait, until now. */
function waited(contact, now) {
  if (typeof contact.waited_s === "number") return contact.waited_s;
  const waiting = contact.state === "queued" || contact.state === "offered";
  return waiting ? (now - millis(contact.queued_at ?? contact.requested_at)) / 1000 : NaN;
}

function row(contact, store, open) {
  const cell = Object.fromEntries(["at", "channel", "touchpoint", "taker", "mood", "waited", "links"].map((name) => [name, el("td")]));
  const state = el("span", { class: "state", "data-testid": "contact-state" });
  const why = el("button", { type: "button", class: "plain", "data-testid": "contact-explain" });
  const who = el("a", { class: "who", href: `#customer=${encodeURIComponent(contact.customer_id)}`, title: contact.customer_id }, contact.customer_id);
  cell.channel.className = "extra";
  cell.waited.className = "number";
  cell.touchpoint.className = "free";
  cell.links.className = "links";
  cell.links.append(why);
  const node = el(
    "tr",
    { "data-testid": "contact", "data-contact": contact.contact_id, on: { click: (event) => event.target.closest("a") || open(contact.contact_id) } },
    cell.at,
    el("td", {}, who),
    cell.channel,
    cell.touchpoint,
    el("td", {}, state),
    cell.taker,
    cell.mood,
    cell.waited,
    cell.links,
  );
  let linked = null;
  return {
    node,
    update(next) {
      say(cell.at, moment(millis(next.requested_at), store.clock.now()));
      say(cell.channel, word("channel", next.channel));
      say(cell.touchpoint, touchpointWord(next.touchpoint));
      say(state, word("state", next.state));
      mark(state, "data-state", next.state);
      say(cell.taker, takerText(next));
      const mood = moodClass(next.mood);
      say(cell.mood, mood ? t(`mood.${mood}`) : "—");
      mark(cell.mood, "title", mood ? moodText(next.mood) : null);
      mark(cell.mood, "data-mood", mood);
      say(cell.waited, stopwatch(waited(next, store.clock.now())));
      say(why, t("explain"));
      mark(why, "aria-label", `${t("drawer")}: ${next.contact_id}`);
      const address = traceAddress(store, next.trace_id);
      if (address && linked !== address + t("trace")) {
        linked = address + t("trace");
        cell.links.replaceChildren(why, outward(address, t("trace"), { "data-testid": "contact-trace", "aria-label": t("traceLong") }) ?? "");
      }
    },
  };
}

function fill(select, label, codes, wordOf) {
  const key = `${t(label)}|${codes.join("|")}`;
  if (select.dataset.filled === key) return;
  const chosen = select.value;
  select.replaceChildren(el("option", { value: "" }, t(label)), ...codes.map((code) => el("option", { value: code }, wordOf(code))));
  select.value = codes.includes(chosen) ? chosen : "";
  select.dataset.filled = key;
}

/** The panel; `open` shows why a contact was routed so. */
export function contactsPanel(store, open) {
  const body = hook("contacts").tBodies[0];
  const form = hook("filters");
  const empty = hook("contacts-empty");

  function render() {
    const every = store.contacts.all().sort((a, b) => millis(b.requested_at) - millis(a.requested_at));
    fill(form.elements.state, "anyState", STATES, (code) => word("state", code));
    fill(form.elements.pool, "anyPool", [...new Set(every.map((contact) => contact.pool).filter(Boolean))].sort(), (code) => word("pool", code));
    const [state, pool, customer] = ["state", "pool", "customer"].map((name) => form.elements[name].value.trim());
    const shown = every.filter(
      (contact) => (!state || contact.state === state) && (!pool || contact.pool === pool) && (!customer || contact.customer_id.includes(customer)),
    );
    keep(body, shown, (contact) => contact.contact_id, (contact) => row(contact, store, open));
    say(hook("contact-count"), every.length ? t("shown", { a: count(shown.length), b: count(every.length) }) : "");
    mark(empty, "hidden", shown.length > 0);
    say(empty, t(every.length ? "noMatch" : "noContacts"));
  }

  form.addEventListener("input", render);
  form.addEventListener("reset", () => setTimeout(render));
  form.addEventListener("submit", (event) => event.preventDefault());
  return { kinds: ["contact", "tick"], render };
}
