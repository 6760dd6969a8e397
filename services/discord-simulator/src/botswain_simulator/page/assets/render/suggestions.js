/**
 * The list above the box while one types `@`, `#`, `:` or `/`: a combobox's list, moved through with the arrows while
 * the caret stays in the text.
 */

import { autocompletion, entryOf, flatten, offer, suggestCommand, usage } from "../commands.js";
import { insertSuggestion, suggestionsFor, triggerAt } from "../composing.js";
import { userName } from "../model.js";
import { h } from "./dom.js";
import { avatar } from "./people.js";

const ASK_AFTER_MS = 200; // a bot is asked when the typing pauses, not at every letter

export class Suggestions {
  #items = [];
  #index = 0;
  #trigger = null;
  #dismissed = null;
  entries = [];

  constructor(page, area, list, hint) {
    this.page = page;
    this.area = area;
    this.list = list;
    this.hint = hint;
    area.addEventListener("input", () => this.update());
    area.addEventListener("click", () => this.update());
    area.addEventListener("blur", () => this.close());
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the caret stays in the text
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#take(Number(option.dataset.index));
    });
  }

  get open() {
    return !this.list.hidden;
  }

  /** Whether the text is a command line: then Enter runs it instead of sending it. */
  get command() {
    return this.area.value.startsWith("/") && this.entries.length > 0;
  }

  /** Gets the commands that can be used here; Enter may come before they do. */
  async load() {
    this.entries = flatten(await this.page.actions.loadCommands(this.page.state.selected));
  }

  async update() {
    const { value, selectionEnd: caret } = this.area;
    if (value.startsWith("/") && !value.includes("\n")) {
      const channelId = this.page.state.selected;
      await this.load();
      if (this.area.value !== value || this.page.state.selected !== channelId) return;
      this.#showCommands(value);
      return;
    }
    this.hint.textContent = "";
    this.#trigger = triggerAt(value, caret);
    this.#show(this.#trigger ? suggestionsFor(this.#trigger, this.page.actions.names()) : [], value);
  }

  /** Takes a key while the list is open. @returns true when the key was the list's */
  key(event) {
    if (!this.open) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#select((this.#index + step + this.#items.length) % this.#items.length);
    else if (event.key === "Escape") this.dismiss();
    else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey)) {
      if (event.key === "Enter" && this.#complete()) return false;
      this.#take(this.#index);
    } else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** Closed until the text changes. */
  dismiss() {
    this.#dismissed = this.area.value;
    this.close();
  }

  close() {
    this.list.hidden = true;
    this.#items = [];
    this.area.setAttribute("aria-expanded", "false");
    this.area.removeAttribute("aria-activedescendant");
  }

  /** A command line that lacks nothing is run by Enter even though more options could be added. */
  #complete() {
    const entry = this.command && entryOf(this.area.value, this.entries);
    const { value } = this.area;
    if (!entry || this.#index > 0 || !(value === `/${entry.path}` || /[\s"]$/.test(value))) return false;
    return !entry.options.some((option) => option.required && !value.includes(`${option.name}:`));
  }

  #showCommands(value) {
    const entry = entryOf(value, this.entries);
    this.hint.textContent = entry ? usage(entry) : "";
    const items = suggestCommand(value, this.entries);
    const alone = items.length === 1 && items[0].insert === value; // written out in full, takes no options: Enter runs it
    this.#trigger = { command: true };
    this.#show(alone ? [] : items, value);
    const wanted = autocompletion(value, this.entries);
    if (wanted) this.#askBot(wanted, value);
  }

  async #askBot(wanted, value) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AFTER_MS));
    if (this.area.value !== value) return;
    const choices = await this.page.actions.complete(wanted);
    if (this.area.value === value) this.#show(offer(wanted, choices), value);
  }

  #show(items, value) {
    if (!items.length || value === this.#dismissed || document.activeElement !== this.area) return this.close();
    this.#dismissed = null;
    this.#items = items;
    this.list.replaceChildren(...items.map((item, index) => this.#option(item, index)));
    this.list.hidden = false;
    this.area.setAttribute("aria-expanded", "true");
    return this.#select(0);
  }

  #option(item, index) {
    const bot = item.bot && [...this.page.state.bots].find(([, { application_id: id }]) => id === item.bot)?.[0];
    return h(
      "li",
      { role: "option", id: `suggestion-${index}`, dataset: { index: String(index) } },
      item.user ? avatar(item.user, 24) : item.char ? h("span", { class: "emoji" }, item.char) : null,
      h("span", { class: "suggestion-label" }, item.label),
      h("span", { class: "suggestion-detail" }, item.detail),
      bot ? h("span", { class: "suggestion-bot" }, userName(this.page.state.users.get(bot))) : null,
    );
  }

  #select(index) {
    this.#index = index;
    [...this.list.children].forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === index));
      if (at === index) option.scrollIntoView({ block: "nearest" });
    });
    this.area.setAttribute("aria-activedescendant", `suggestion-${index}`);
  }

  #take(index) {
    const item = this.#items[index];
    if (!item) return;
    const { value, selectionEnd: caret } = this.area;
    const next = this.#trigger.command
      ? { text: value.slice(0, item.start) + item.insert, caret: item.start + item.insert.length }
      : insertSuggestion(value, caret, this.#trigger.start, item.insert);
    this.area.value = next.text;
    this.area.setSelectionRange(next.caret, next.caret);
    this.close();
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
