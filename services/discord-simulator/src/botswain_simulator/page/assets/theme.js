/**
 * Light or dark: the system's choice until the person makes one, which is then remembered. Loaded before the page is
 * drawn, so that it never flashes.
 */

import { recall, remember } from "./memory.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

export function theme() {
  const chosen = recall("theme");
  return chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
}

export function toggleTheme() {
  remember("theme", theme() === "dark" ? "light" : "dark");
  apply();
}

export function onTheme(listener) {
  listeners.push(listener);
  listener(theme());
}

function apply() {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener(theme());
}

dark.addEventListener("change", apply);
apply();
