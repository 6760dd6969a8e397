/**
 * Building elements. `h` makes children into text nodes, never into HTML: this is the only way the page puts text on
 * the screen, and `safeUrl` the only way to an address in it.
 */

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "x", on: {click: fn}, disabled: true, dataset: {id: "1"}}, "text", node, [nodes], null) */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (name === "vars")
    for (const [variable, text] of Object.entries(value)) element.style.setProperty(variable, text);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** The address if it is one the page may follow (http, https, or on this server), else null. */
export function safeUrl(url) {
  if (typeof url !== "string" || !url) return null;
  try {
    const parsed = new URL(url, location.origin);
    return ["http:", "https:", "blob:"].includes(parsed.protocol) ? parsed.href : null;
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/**
 * Makes `parent`'s children match `items`, keeping the elements whose key and version are the same: focus, open
 * menus, revealed spoilers and half-loaded images survive.
 * `version` is compared item by item by identity; `build(item)` makes a new element.
 */
export function reconcile(parent, items, { key, version, build }) {
  const old = new Map(
    [...parent.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]),
  );
  let next = parent.firstElementChild;
  for (const item of items) {
    const id = String(key(item));
    const marks = version(item);
    let element = old.get(id);
    if (element && !sameMarks(element.__marks, marks)) {
      const fresh = build(item);
      if (element === next) next = element.nextElementSibling;
      element.replaceWith(fresh);
      parent.insertBefore(fresh, next);
      element = fresh;
    } else if (!element) {
      element = build(item);
      parent.insertBefore(element, next);
    } else if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
    element.dataset.key = id;
    element.__marks = marks;
    old.delete(id);
  }
  for (const element of old.values()) element.remove();
}

function sameMarks(a, b) {
  return Array.isArray(a) && a.length === b.length && a.every((mark, index) => mark === b[index]);
}

/** Replaces an element's content but keeps the focus on the element with the same `data-focus`. */
export function redraw(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  element.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  if (focused) element.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/**
 * One Tab stop for a whole list: arrows (and Home, End) move inside. Give the container once; items are found anew by
 * `selector`.
 */
export function rovingFocus(container, selector, { horizontal = false } = {}) {
  const items = () => [...container.querySelectorAll(selector)].filter((item) => item.offsetParent !== null);
  const [back, forward] = horizontal ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
  container.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const list = items();
    const index = list.indexOf(event.target.closest(selector));
    if (index < 0) return;
    const next = { [back]: index - 1, [forward]: index + 1, Home: 0, End: list.length - 1 }[event.key];
    if (next === undefined || !list[next]) return;
    event.preventDefault();
    focusItem(list, list[next]);
  });
  container.addEventListener("focusin", (event) => {
    const item = event.target.closest(selector);
    if (item && container.contains(item)) setStop(items(), item);
  });
}

function focusItem(list, item) {
  setStop(list, item);
  item.focus();
}

function setStop(list, item) {
  for (const other of list) other.tabIndex = other === item ? 0 : -1;
}

/** After a redraw exactly one item must be reachable: the current one, else the first. */
export function ensureStop(container, selector) {
  const items = [...container.querySelectorAll(selector)];
  if (!items.length) return;
  const stop =
    items.find((item) => item === document.activeElement) ??
    items.find((item) => item.matches('[aria-current="page"], [aria-selected="true"]')) ??
    items[0];
  setStop(items, stop);
}
