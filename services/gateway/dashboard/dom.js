// Small helpers for the document. Text is only ever set as text, never as markup: it may come from customers.

/** The element with that data-testid. */
export const hook = (name) => document.querySelector(`[data-testid="${name}"]`);

/** Makes an element; children that are strings become text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets the text if it is another one, so that an idle page stays idle. */
export function say(node, text) {
  const next = String(text);
  if (node.textContent !== next) node.textContent = next;
}

/** Sets or removes an attribute if it is another one. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

const kept = new WeakMap();

/**
 * Keeps the parent's children in step with the items: one child a key, made once, brought up to date by its `update`.
 * Nodes stay the same while their item lives, so that focus, selection and scrolling stay where they are.
 */
export function keep(parent, items, keyOf, make) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = before.get(key) ?? make(item);
    before.delete(key);
    after.set(key, child);
    child.update(item);
    if (child.node === place) place = place.nextSibling;
    else parent.insertBefore(child.node, place);
  }
  for (const child of before.values()) child.node.remove();
  kept.set(parent, after);
}

/** Forgets what `keep` made, so that all is made anew (in another language). */
export function forget(parent) {
  kept.delete(parent);
  parent.replaceChildren();
}

/** A link that opens elsewhere; null where the address is not a web address. */
export function outward(address, text, attributes = {}) {
  if (!/^https?:\/\//.test(address ?? "")) return null;
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer", ...attributes }, text);
}

/** A table with those heads and rows of texts. */
export function table(heads, rows) {
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, String(cell)))))),
  );
}
