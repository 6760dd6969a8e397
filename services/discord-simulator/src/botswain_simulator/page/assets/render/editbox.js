/** The box in which a message is changed in its place: Enter saves, Esc leaves it as it was. */

import { decode } from "../composing.js";
import { h } from "./dom.js";

export function editBox(message, page) {
  const area = h("textarea", {
    class: "edit-area",
    "aria-label": "Edit the message",
    rows: 1,
    maxlength: 2000,
    dataset: { editing: message.id },
  });
  area.value = decode(message.content, page.actions.names(message.channel_id));
  const fit = () => fitHeight(area, 240);
  area.addEventListener("input", fit);
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      page.actions.cancel();
      page.focusComposer();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      save();
    }
  });
  const save = () => {
    if (area.value.trim()) page.actions.edit(message, area.value.trim());
    else page.askDelete(message);
    page.focusComposer();
  };
  // Before anything else can happen, but after it is in the page: a key pressed now belongs into the text.
  queueMicrotask(() => {
    fit();
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  });
  return h(
    "div",
    { class: "edit-box" },
    area,
    h(
      "p",
      { class: "edit-hint" },
      "Esc to ",
      h("button", { type: "button", class: "text-button", on: { click: () => page.actions.cancel() } }, "cancel"),
      " · Enter to ",
      h("button", { type: "button", class: "text-button", on: { click: save } }, "save"),
    ),
  );
}

/** Makes a textarea as high as its text, up to `most` pixels. */
export function fitHeight(area, most) {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, most)}px`;
}
