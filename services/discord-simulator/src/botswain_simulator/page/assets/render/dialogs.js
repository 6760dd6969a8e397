/**
 * What takes the whole attention: questions, the quick switcher, the list of shortcuts, a picture, and the forms bots
 * ask to be filled in. All are the browser's own modal dialogs.
 */

import { channelTitle, dmsOf, isDm, isReadable, isThread, isUnread, matchRank } from "../model.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

/** Shows a dialog and removes it when closed. @returns promise of its return value ("" when dismissed) */
function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(""));
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      restoreCaret();
      resolve(dialog.returnValue);
    }),
  );
}

/** Chromium gives the focus back while the page is still inert: then a text box has it, but no caret, and takes no letters. */
function restoreCaret() {
  const focused = document.activeElement;
  if (!focused?.matches("textarea, input")) return;
  focused.blur();
  focused.focus({ preventScroll: true });
}

const closeButton = (label = "Cancel") =>
  h("button", { type: "submit", value: "", formnovalidate: true, class: "button quiet" }, label);

/** A question with text fields. @returns promise of `{name: text}`, or null when dismissed */
export async function ask({ title, fields, confirm }) {
  const controls = fields.map((field) => {
    const attributes = {
      name: field.name,
      id: `ask-${field.name}`,
      placeholder: field.placeholder,
      required: field.required,
      minlength: field.minLength,
      maxlength: field.maxLength,
      pattern: field.pattern,
      title: field.hint,
      autocomplete: "off",
    };
    const control = field.long
      ? h("textarea", { ...attributes, rows: 4 })
      : h("input", { ...attributes, type: "text" });
    control.value = field.value ?? "";
    return control;
  });
  const form = h(
    "form",
    { method: "dialog", class: "dialog-form" },
    h("h2", {}, title),
    fields.map((field, index) =>
      h(
        "div",
        { class: "field" },
        h("label", { for: `ask-${field.name}` }, field.label),
        controls[index],
        field.hint ? h("small", {}, field.hint) : null,
      ),
    ),
    h(
      "div",
      { class: "dialog-buttons" },
      closeButton(),
      h("button", { type: "submit", value: "yes", class: "button" }, confirm),
    ),
  );
  // Enter presses a form's first submit button, which is "Cancel": here it means yes.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    form.requestSubmit(form.querySelector('[value="yes"]'));
  });
  const answer = await show(h("dialog", { class: "dialog", "aria-label": title }, form));
  return answer === "yes" ? Object.fromEntries(controls.map((control) => [control.name, control.value.trim()])) : null;
}

/** @returns promise of whether it was confirmed */
export async function confirm({ title, text, action }) {
  const yes = h("button", { type: "submit", value: "yes", class: "button danger", autofocus: true }, action);
  const form = h(
    "form",
    { method: "dialog", class: "dialog-form" },
    h("h2", {}, title),
    h("p", { class: "dialog-text" }, text),
    h("div", { class: "dialog-buttons" }, closeButton(), yes),
  );
  return (await show(h("dialog", { class: "dialog", role: "alertdialog", "aria-label": title }, form))) === "yes";
}

export function showImage(url, alt) {
  const image = h("img", { src: url, alt });
  const close = h(
    "button",
    { type: "submit", class: "icon-button", "aria-label": "Close", autofocus: true },
    icon("close", 22),
  );
  return show(
    h(
      "dialog",
      { class: "dialog lightbox", "aria-label": alt || "Picture" },
      h("form", { method: "dialog" }, close),
      image,
    ),
  );
}

const SHORTCUTS = [
  [
    "Anywhere",
    [
      ["Ctrl K", "Go to a channel or person"],
      ["Alt ↑ or ↓", "Previous or next channel"],
      ["Alt Shift ↑ or ↓", "Previous or next unread channel"],
      ["Ctrl Shift U", "Attach a file"],
      ["Ctrl Shift E", "Emoji"],
      ["Ctrl Shift L", "Light or dark"],
      ["F6", "Next part of the page"],
      ["? or Ctrl /", "This list"],
    ],
  ],
  [
    "In the box",
    [
      ["Enter", "Send"],
      ["Shift Enter", "New line"],
      ["↑ in an empty box", "Edit your last message"],
      ["@ # : /", "People, channels, emoji, commands"],
      ["PageUp or PageDown", "Scroll the conversation"],
      ["Ctrl ↑", "To the messages"],
      ["Esc", "Don’t reply after all"],
    ],
  ],
  [
    "On a message",
    [
      ["↑ ↓ Home End", "Move between messages"],
      ["R", "Reply"],
      ["+", "React"],
      ["E", "Edit"],
      ["T", "Start a thread"],
      ["C", "Copy the text"],
      ["Delete", "Delete"],
      ["Esc", "Back to the box"],
    ],
  ],
];

export function showHelp() {
  const key = (text) =>
    text.split(" ").map((part) => (/^(or|in|an|empty|box)$/.test(part) ? ` ${part} ` : h("kbd", {}, part)));
  const sections = SHORTCUTS.map(([title, rows]) =>
    h(
      "section",
      {},
      h("h3", {}, title),
      h(
        "dl",
        {},
        rows.map(([keys, text]) => h("div", {}, h("dt", {}, key(keys)), h("dd", {}, text))),
      ),
    ),
  );
  const close = h(
    "button",
    { type: "submit", class: "icon-button", "aria-label": "Close", autofocus: true },
    icon("close"),
  );
  return show(
    h(
      "dialog",
      { class: "dialog help", "aria-label": "Keyboard shortcuts" },
      h("form", { method: "dialog", class: "dialog-head" }, h("h2", {}, "Keyboard shortcuts"), close),
      h("div", { class: "help-columns" }, sections),
    ),
  );
}

/** Everything one can go to: `[{label, detail, rank, run}]`, unread first among equals. */
function destinations(page, query) {
  const { state, actions } = page;
  const visible = new Set(dmsOf(state, state.speaker).map((channel) => channel.id));
  const channels = [...state.channels.values()]
    .filter((channel) => isReadable(channel) && (!isDm(channel) || visible.has(channel.id)))
    .map((channel) => ({
      sign: isDm(channel) ? "at" : isThread(channel) ? "thread" : "hash",
      label: channelTitle(state, channel),
      detail: state.guilds.get(channel.guild_id)?.name ?? "Direct message",
      unread: isUnread(state, channel),
      run: () => actions.openChannel(channel.id),
    }));
  const bots = [...state.bots.keys()]
    .map((id) => state.users.get(id))
    .map((user) => ({
      sign: "at",
      label: user.global_name || user.username,
      detail: "Write to this bot",
      run: () => actions.openDm(user.id),
    }));
  const wanted = query.replace(/^[@#]/, "");
  const sign = { "@": "at", "#": "hash" }[query[0]];
  return [...channels, ...bots]
    .filter((item) => !sign || item.sign === sign)
    .map((item) => ({ ...item, rank: matchRank(item.label, wanted) }))
    .filter((item) => item.rank >= 0)
    .sort((a, b) => a.rank - b.rank || Number(b.unread ?? 0) - Number(a.unread ?? 0))
    .slice(0, 12);
}

export async function showSwitcher(page) {
  let items = [];
  let index = 0;
  const input = h("input", {
    type: "text",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "switcher-list",
    "aria-label": "Where to?",
    placeholder: "Where to? # for channels, @ for people",
    autocomplete: "off",
    autofocus: true,
  });
  const list = h("ul", { id: "switcher-list", role: "listbox", "aria-label": "Destinations" });
  const dialog = h(
    "dialog",
    { class: "dialog switcher", "aria-label": "Go to" },
    input,
    list,
    h(
      "p",
      { class: "switcher-hint" },
      h("kbd", {}, "↑"),
      h("kbd", {}, "↓"),
      " choose ",
      h("kbd", {}, "Enter"),
      " go ",
      h("kbd", {}, "Esc"),
      " stay",
    ),
  );
  const select = (at) => {
    index = at;
    [...list.children].forEach((option, position) => {
      option.setAttribute("aria-selected", String(position === at));
      if (position === at) option.scrollIntoView({ block: "nearest" });
    });
    input.setAttribute("aria-activedescendant", items.length ? `destination-${at}` : "");
  };
  const draw = () => {
    items = destinations(page, input.value.trim());
    list.replaceChildren(
      ...items.map((item, at) =>
        h(
          "li",
          {
            role: "option",
            id: `destination-${at}`,
            class: item.unread ? "unread" : null,
            on: { click: () => dialog.close(String(at)) },
          },
          icon(item.sign, 18),
          h("span", {}, item.label),
          h("small", {}, item.detail),
        ),
      ),
    );
    if (!items.length) list.append(h("li", { class: "empty" }, "Nothing by that name."));
    select(0);
  };
  input.addEventListener("input", draw);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && items.length) select((index + step + items.length) % items.length);
    else if (event.key === "Enter" && items.length) dialog.close(String(index));
    else return;
    event.preventDefault();
  });
  draw();
  const chosen = await show(dialog);
  if (chosen === "") return;
  await items[Number(chosen)].run();
  page.focusComposer();
}

/** A form that a bot answered an interaction with. @returns promise of `{custom_id: text}` or null */
export function askModal(form) {
  const inputs = (form.components ?? [])
    .flatMap((row) =>
      row.component ? [{ ...row.component, label: row.label, hint: row.description }] : (row.components ?? []),
    )
    .filter((input) => input.type === 4);
  return ask({
    title: form.title || "Form",
    confirm: "Submit",
    fields: inputs.map((input) => ({
      name: input.custom_id,
      label: input.label ?? input.custom_id,
      hint: input.hint,
      long: input.style === 2,
      required: input.required !== false,
      minLength: input.min_length,
      maxLength: input.max_length ?? 4000,
      placeholder: input.placeholder,
      value: input.value,
    })),
  });
}
