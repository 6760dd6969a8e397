/**
 * Small things that open beside a button: menus, the emoji picker, a person's card. One at a time; Esc or a click
 * elsewhere closes it and the focus goes back where it was.
 */

import { EMOJI, searchEmoji } from "../emoji.js";
import { userName } from "../model.js";
import { ensureStop, h, rovingFocus } from "./dom.js";
import { icon } from "./icons.js";
import { avatar, botTag } from "./people.js";

let current = null;

export function closePopover(refocus = true) {
  if (!current) return false;
  const { element, anchor, forget } = current;
  current = null;
  forget();
  const held = element.contains(document.activeElement);
  element.remove();
  anchor.removeAttribute("aria-expanded");
  if (refocus && held && anchor.isConnected) anchor.focus();
  return true;
}

/** Puts an element near its anchor, inside the window, and gives it the focus. */
function openPopover(element, anchor) {
  closePopover(false);
  document.body.append(element);
  const outside = (event) => !element.contains(event.target) && !anchor.contains(event.target) && closePopover(false);
  const escape = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    closePopover();
  };
  document.addEventListener("pointerdown", outside, true);
  element.addEventListener("keydown", escape);
  anchor.setAttribute("aria-expanded", "true");
  current = { element, anchor, forget: () => document.removeEventListener("pointerdown", outside, true) };
  place(element, anchor.getBoundingClientRect());
}

function place(element, near) {
  const { offsetWidth: width, offsetHeight: height } = element;
  const above = near.top - height - 8;
  const top = above >= 8 ? above : Math.min(near.bottom + 8, innerHeight - height - 8);
  element.style.left = `${Math.max(8, Math.min(near.left, innerWidth - width - 8))}px`;
  element.style.top = `${Math.max(8, top)}px`;
}

/** @param items `[{label, detail?, face?, current?, run}]`, null for a line */
export function openMenu(anchor, label, items) {
  const element = h(
    "div",
    { class: "popover menu", role: "menu", "aria-label": label },
    items.map((item) =>
      item
        ? h(
            "button",
            {
              type: "button",
              role: item.current === undefined ? "menuitem" : "menuitemradio",
              "aria-checked": item.current === undefined ? null : String(item.current),
              class: "menu-item",
              on: { click: () => (closePopover(), item.run()) },
            },
            item.face,
            h("span", {}, item.label),
            item.detail ? h("small", {}, item.detail) : null,
          )
        : h("hr", {}),
    ),
  );
  rovingFocus(element, ".menu-item");
  openPopover(element, anchor);
  ensureStop(element, ".menu-item");
  (element.querySelector('[aria-checked="true"]') ?? element.querySelector(".menu-item")).focus();
}

/** A person's card with what one can do about them. */
export function openProfile(anchor, user, { state, actions }) {
  const bot = state.bots.has(user.id);
  const known = state.users.has(user.id);
  const element = h(
    "div",
    { class: "popover profile", role: "dialog", "aria-label": userName(user) },
    avatar(user, 64),
    h("h3", {}, userName(user), user.bot ? [" ", botTag()] : null),
    h("p", { class: "profile-name" }, `@${user.username}`),
    h(
      "dl",
      {},
      h("dt", {}, "Id"),
      h("dd", {}, h("code", {}, user.id)),
      bot ? [h("dt", {}, "Gateway"), h("dd", {}, state.online.has(user.id) ? "connected" : "not connected")] : null,
    ),
    h(
      "div",
      { class: "profile-actions" },
      known && bot
        ? h(
            "button",
            { type: "button", class: "button", on: { click: () => (closePopover(), actions.openDm(user.id)) } },
            "Message",
          )
        : null,
      known && !bot && user.id !== state.speaker
        ? h(
            "button",
            { type: "button", class: "button", on: { click: () => (closePopover(), actions.speakAs(user.id)) } },
            `Speak as ${userName(user)}`,
          )
        : null,
      known
        ? h(
            "button",
            {
              type: "button",
              class: "button quiet",
              on: { click: () => (closePopover(false), actions.mention(user)) },
            },
            "Mention",
          )
        : null,
    ),
  );
  openPopover(element, anchor);
  element.querySelector("button")?.focus();
}

const COLUMNS = 8;

/** @param {(char: string) => void} chosen */
export function openEmojiPicker(anchor, chosen) {
  const search = h("input", {
    type: "search",
    class: "emoji-search",
    placeholder: "Find an emoji",
    "aria-label": "Find an emoji",
    autocomplete: "off",
  });
  const grid = h("div", { class: "emoji-grid", role: "listbox", "aria-label": "Emoji" });
  const name = h("div", { class: "emoji-name", "aria-hidden": "true" });
  const choose = (char) => {
    closePopover();
    chosen(char);
  };
  const draw = () => {
    const found = search.value.trim() ? searchEmoji(search.value) : EMOJI;
    grid.replaceChildren(
      ...found.map(({ char, words }) =>
        h(
          "button",
          {
            type: "button",
            role: "option",
            class: "emoji-option",
            tabindex: "-1",
            title: `:${words[0]}:`,
            "aria-label": words[0].replaceAll("_", " "),
            dataset: { char },
          },
          char,
        ),
      ),
    );
    if (!found.length) grid.append(h("p", {}, "No emoji by that name."));
    ensureStop(grid, ".emoji-option");
    name.textContent = found.length ? `:${found[0].words[0]}:` : "";
  };
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    const first = grid.querySelector(".emoji-option");
    if (event.key === "Enter" && first) {
      event.preventDefault();
      choose(first.dataset.char);
    } else if (event.key === "ArrowDown" && first) {
      event.preventDefault();
      first.focus();
    }
  });
  grid.addEventListener("click", (event) => {
    const option = event.target.closest(".emoji-option");
    if (option) choose(option.dataset.char);
  });
  grid.addEventListener("focusin", (event) => (name.textContent = event.target.title));
  grid.addEventListener("keydown", (event) => moveInGrid(event, grid, search));
  rovingFocus(grid, ".emoji-option", { horizontal: true });
  draw();
  openPopover(
    h(
      "div",
      { class: "popover emoji-picker", role: "dialog", "aria-label": "Emoji" },
      h("div", { class: "emoji-find" }, icon("search", 16), search),
      grid,
      name,
    ),
    anchor,
  );
  search.focus();
}

function moveInGrid(event, grid, search) {
  const step = { ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
  if (!step) return;
  event.preventDefault();
  const options = [...grid.querySelectorAll(".emoji-option")];
  const next = options[options.indexOf(event.target) + step];
  if (next) next.focus();
  else if (step < 0) search.focus();
}
