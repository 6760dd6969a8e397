/** The keys that work everywhere on the page. What a single part does with keys stands in that part. */

const REGIONS = ["#rail", "#channels", "#list", "#box", "#members"];

export function mountShortcuts(page) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const shortcut = SHORTCUTS.find(({ matches }) => matches(event));
    if (!shortcut) return typeAnywhere(event, page);
    event.preventDefault();
    return shortcut.run(page, event);
  });
}

const control = (event, key, shift = false) =>
  (event.ctrlKey || event.metaKey) && !event.altKey && event.shiftKey === shift && event.key.toLowerCase() === key;
const inText = (event) => event.target.matches?.("input, textarea, select, [contenteditable]");

const SHORTCUTS = [
  { matches: (event) => control(event, "k"), run: (page) => page.showSwitcher() },
  { matches: (event) => control(event, "/") || (event.key === "?" && !inText(event)), run: (page) => page.showHelp() },
  { matches: (event) => control(event, "l", true), run: (page) => page.toggleTheme() },
  { matches: (event) => control(event, "e", true), run: (page) => page.composer.emoji.click() },
  { matches: (event) => control(event, "u", true), run: (page) => page.composer.attach.click() },
  {
    matches: (event) => event.altKey && !event.ctrlKey && event.key === "ArrowUp",
    run: (page, event) => page.actions.stepChannel(-1, event.shiftKey),
  },
  {
    matches: (event) => event.altKey && !event.ctrlKey && event.key === "ArrowDown",
    run: (page, event) => page.actions.stepChannel(1, event.shiftKey),
  },
  { matches: (event) => event.key === "F6", run: (page, event) => nextRegion(event.shiftKey ? -1 : 1) },
  { matches: (event) => event.key === "Escape" && drawerOpen(), run: (page) => page.closeDrawers() },
];

function drawerOpen() {
  return Boolean(document.body.dataset.drawer);
}

/** F6 walks through the parts of the page, as it does in browsers and office programs. */
function nextRegion(step) {
  const regions = REGIONS.map((selector) => document.querySelector(selector)).filter((region) => region?.offsetParent);
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const region = regions[(Math.max(at, step < 0 ? 0 : -1) + step + regions.length) % regions.length];
  (region.matches("textarea") ? region : region.querySelector('[tabindex="0"], button'))?.focus();
}

/** A letter typed where it would do nothing goes to the box. */
function typeAnywhere(event, page) {
  const nowhere = event.target === document.body || event.target === document.documentElement;
  if (nowhere && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) page.focusComposer();
}
