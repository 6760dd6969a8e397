/**
 * Short notices, mostly the server's own sentence about what went wrong. They stay long enough to be read, and longer
 * while one points at them.
 */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const STAY_MS = 7000;
const MOST = 4;

export function mountToasts(box) {
  return (text, kind = "error") => {
    const same = [...box.children].find((toast) => toast.dataset.text === text);
    same?.remove();
    const toast = h(
      "div",
      { class: `toast ${kind}`, dataset: { text } },
      icon(kind === "error" ? "warn" : "help", 18),
      h("span", {}, text),
      h(
        "button",
        { type: "button", class: "icon-button small", "aria-label": "Dismiss", on: { click: () => toast.remove() } },
        icon("close", 16),
      ),
    );
    let timer = setTimeout(() => toast.remove(), STAY_MS);
    toast.addEventListener("pointerenter", () => clearTimeout(timer));
    toast.addEventListener("pointerleave", () => (timer = setTimeout(() => toast.remove(), STAY_MS / 2)));
    box.append(toast);
    while (box.children.length > MOST) box.firstChild.remove();
  };
}
