/**
 * The box to write in, with what it answers, the files that go along, and the line that says who types. A draft
 * belongs to its channel.
 */

import { fileSize, typingSentence } from "../format.js";
import { displayName, guildOf, isDm } from "../model.js";
import { expireTyping, typingUsers } from "../store.js";
import { h } from "./dom.js";
import { fitHeight } from "./editbox.js";
import { icon } from "./icons.js";
import { Suggestions } from "./suggestions.js";

const MOST_CHARACTERS = 2000;
const MOST_FILES = 10;

export class Composer {
  #drafts = new Map();
  #files = [];
  #channel = null;
  #typingTimer = 0;

  constructor(page, elements) {
    this.page = page;
    Object.assign(this, elements); // form, area, tray, context, typing, counter, picker, attach, emoji, drop, list, hint
    this.suggestions = new Suggestions(page, this.area, this.list, this.hint);
    this.area.addEventListener("keydown", (event) => this.#key(event));
    this.area.addEventListener("input", () => this.#input());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.attach.addEventListener("click", () => this.picker.click());
    this.picker.addEventListener("change", () => {
      this.#addFiles(this.picker.files);
      this.picker.value = "";
    });
    this.emoji.addEventListener("click", () => page.pickEmoji(this.emoji, (char) => this.insert(char)));
    this.area.addEventListener("paste", (event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.#addFiles(event.clipboardData.files);
    });
    this.#acceptDrops();
    page.store.subscribe(["selection", "state", "composer", "channels", "focus-composer"], (topics) =>
      this.#draw(topics),
    );
    page.store.subscribe(["typing", "selection", "users"], () => this.#drawTyping());
  }

  focus() {
    this.area.focus();
  }

  /** Puts text where the caret is. */
  insert(text) {
    this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
    this.area.focus();
  }

  #key(event) {
    if (event.isComposing || this.suggestions.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && event.ctrlKey) {
      event.preventDefault();
      this.page.timeline.focusLast();
    } else if (event.key === "ArrowUp" && !this.area.value && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      this.page.editLastOwn();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.page.actions.cancel();
    } else if ((event.key === "PageUp" || event.key === "PageDown") && !event.shiftKey) {
      event.preventDefault();
      this.page.timeline.scrollPage(event.key === "PageUp" ? -1 : 1);
    }
  }

  #input() {
    const { value } = this.area;
    this.#drafts.set(this.#channel, value);
    fitHeight(this.area, 260);
    const left = MOST_CHARACTERS - value.length;
    this.counter.textContent = left <= 200 ? String(left) : "";
    this.counter.classList.toggle("over", left < 0);
    if (value.trim() && !value.startsWith("/")) this.page.actions.typed();
  }

  async #submit() {
    const text = this.area.value.trim();
    if (!this.#channel || (!text && !this.#files.length)) return;
    if (text.length > MOST_CHARACTERS) {
      this.page.actions.toast(`A message holds at most ${MOST_CHARACTERS} characters; this one has ${text.length}.`);
      return;
    }
    if (text.startsWith("/") && !this.#files.length) await this.suggestions.load();
    if (this.suggestions.command && !this.#files.length) {
      if (await this.page.actions.runCommand(text, this.suggestions.entries)) this.#clear();
      return;
    }
    const files = this.#files;
    this.#clear();
    await this.page.actions.send(text, files);
  }

  #clear() {
    this.#files = [];
    this.area.value = "";
    this.suggestions.close();
    this.hint.textContent = "";
    this.#input();
    this.#drawTray();
  }

  #addFiles(list) {
    const room = MOST_FILES - this.#files.length;
    const files = [...list];
    if (files.length > room) this.page.actions.toast(`A message takes at most ${MOST_FILES} files.`);
    this.#files = [...this.#files, ...files.slice(0, room)];
    this.#drawTray();
    this.focus();
  }

  #draw(topics) {
    const { state } = this.page;
    const channel = state.channels.get(state.selected);
    this.form.hidden = !channel; // first, since a hidden box has no height to fit
    if (state.selected !== this.#channel) {
      this.#channel = state.selected;
      this.#files = [];
      this.area.value = this.#drafts.get(this.#channel) ?? "";
      this.suggestions.close();
      this.hint.textContent = "";
      this.#drawTray();
      this.#input();
      if (channel && document.activeElement === document.body && !matchMedia("(pointer: coarse)").matches) this.focus();
    }
    const label = channel ? `Message ${isDm(channel) ? "@" : "#"}${this.page.actions.title(channel.id)}` : "";
    this.area.placeholder = label;
    this.area.setAttribute("aria-label", label);
    this.#drawContext();
    if (topics.has("focus-composer")) this.focus();
  }

  #drawContext() {
    const { state } = this.page;
    const message =
      state.replyTo &&
      state.conversations.get(this.#channel)?.messages.find((candidate) => candidate.id === state.replyTo);
    this.context.hidden = !message;
    if (!message) return;
    this.context.replaceChildren(
      icon("reply", 16),
      h(
        "span",
        {},
        "Replying to ",
        h("strong", {}, displayName(state, message.author.id, guildOf(state, this.#channel))),
      ),
      h(
        "button",
        {
          type: "button",
          class: "icon-button small",
          "aria-label": "Don't reply",
          on: { click: () => this.page.actions.cancel() },
        },
        icon("close", 16),
      ),
    );
  }

  #drawTray() {
    this.tray.hidden = !this.#files.length;
    this.tray.replaceChildren(
      ...this.#files.map((file) =>
        h(
          "li",
          { class: "tray-file" },
          file.type.startsWith("image/") ? preview(file) : icon("file", 30),
          h(
            "span",
            { class: "file-text" },
            h("span", { class: "file-name" }, file.name),
            h("span", { class: "file-size" }, fileSize(file.size)),
          ),
          h(
            "button",
            {
              type: "button",
              class: "icon-button small",
              "aria-label": `Remove ${file.name}`,
              on: { click: () => this.#removeFile(file) },
            },
            icon("close", 16),
          ),
        ),
      ),
    );
  }

  #removeFile(file) {
    this.#files = this.#files.filter((other) => other !== file);
    this.#drawTray();
    this.focus();
  }

  #acceptDrops() {
    let depth = 0;
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files") && this.#channel;
    const show = (on) => (this.drop.hidden = !on);
    document.addEventListener("dragenter", (event) => carriesFiles(event) && ((depth += 1), show(true)));
    document.addEventListener("dragleave", (event) => carriesFiles(event) && ((depth -= 1), depth <= 0 && show(false)));
    document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth = 0;
      show(false);
      this.#addFiles(event.dataTransfer.files);
    });
  }

  #drawTyping() {
    clearTimeout(this.#typingTimer);
    const { state } = this.page;
    const next = expireTyping(state);
    const names = typingUsers(state, state.selected).map((id) =>
      displayName(state, id, guildOf(state, state.selected)),
    );
    const sentence = typingSentence(names);
    this.typing.replaceChildren(
      ...(sentence ? [h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), sentence] : []),
    );
    if (next !== null) this.#typingTimer = setTimeout(() => this.#drawTyping(), next + 20);
  }
}

function preview(file) {
  const url = URL.createObjectURL(file);
  const image = h("img", { src: url, alt: "" });
  for (const event of ["load", "error"]) image.addEventListener(event, () => URL.revokeObjectURL(url), { once: true });
  return image;
}
