/**
 * The conversation: rows kept in step with the store, history loaded when one scrolls near an end, and the place kept
 * meanwhile.
 *
 * While the reader is at the bottom the view follows new messages (and pictures that grow); anywhere else it stays
 * where it is, and a button leads back. Messages form one Tab stop: arrows walk through them, and only the focused
 * one's own buttons can be tabbed to.
 */

import { dayLabel } from "../format.js";
import { isDm, isThread, timelineRows } from "../model.js";
import { trimConversation } from "../store.js";
import { h, reconcile } from "./dom.js";
import { icon } from "./icons.js";
import { messageTools, renderMessage } from "./message.js";

const NEAR_EDGE = 300;
const AT_BOTTOM = 24;
const INNER = ".toolbar button, .reaction, .author, .quoted, .thread-link, .mention-channel, .code-copy";

export class Timeline {
  #following = true;
  #top = 0;
  #channel = null;
  #names = 0;
  #active = null;

  constructor(page, elements) {
    this.page = page;
    Object.assign(this, elements); // scroller, list, opening, present
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.present.addEventListener("click", () => this.toPresent());
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("focusin", (event) => this.#activate(event.target.closest("[data-message]")));
    new ResizeObserver(() => this.#following && this.#toBottom()).observe(this.list);
    new ResizeObserver(() => this.#following && this.#toBottom()).observe(this.scroller);
    page.store.subscribe(["messages", "selection", "users", "members", "channels", "editing", "sent"], (topics) =>
      this.render(topics),
    );
  }

  get following() {
    return this.#following;
  }

  render(topics) {
    const { state } = this.page;
    if (["users", "members", "channels"].some((topic) => topics.has(topic))) this.#names += 1;
    if (state.selected !== this.#channel) {
      this.#channel = state.selected;
      this.#following = true;
      this.#active = null;
      this.list.replaceChildren();
    }
    if (topics.has("sent")) this.#following = true;
    const conversation = state.conversations.get(this.#channel);
    const pending = conversation?.atEnd ? (state.pending.get(this.#channel) ?? []) : [];
    const visible = (conversation?.messages ?? []).filter(
      (message) => !message.ephemeral_for || message.ephemeral_for === state.speaker,
    );
    const rows = timelineRows([...visible, ...pending], state.unreadFrom);
    const anchor = this.#following ? null : this.#anchor();
    this.#opening(conversation);
    reconcile(this.list, rows, {
      key: (row) => row.key,
      version: (row) =>
        row.kind === "message"
          ? [row.message, row.grouped, state.speaker, state.editing === row.message.id, this.#names]
          : [row.key],
      build: (row) => this.#row(row),
    });
    this.list.setAttribute("aria-busy", String(!conversation));
    if (this.#following) this.#toBottom();
    else if (anchor) this.#restore(anchor);
    this.#restoreFocus();
    this.present.hidden = this.#following && (conversation?.atEnd ?? true);
    if (conversation && !conversation.atStart && this.scroller.scrollHeight <= this.scroller.clientHeight)
      this.page.actions.history.loadOlder(this.#channel);
  }

  toPresent() {
    this.#following = true;
    if (this.page.state.conversations.get(this.#channel)?.atEnd) this.#toBottom();
    else this.page.actions.history.loadLatest(this.#channel);
    this.page.actions.markRead();
    this.present.hidden = true;
  }

  /** Shows a message, loading its surroundings first if need be. */
  async jumpTo(id) {
    this.#following = false;
    if (!(await this.page.actions.history.loadAround(this.#channel, id))) {
      this.page.actions.toast("That message is gone.");
      return;
    }
    this.page.store.flush();
    const element = this.#element(id);
    if (!element) return;
    element.scrollIntoView({ block: "center" });
    element.focus({ preventScroll: true });
    element.classList.remove("flash");
    requestAnimationFrame(() => element.classList.add("flash"));
  }

  focusLast() {
    [...this.list.querySelectorAll("[data-message]")].at(-1)?.focus();
  }

  scrollPage(direction) {
    this.scroller.scrollBy({ top: direction * this.scroller.clientHeight * 0.85 });
  }

  #element(id) {
    return this.list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  #row(row) {
    if (row.kind === "day")
      return h(
        "li",
        { class: "divider", role: "separator", "aria-label": dayLabel(row.date) },
        h("span", {}, dayLabel(row.date)),
      );
    if (row.kind === "new")
      return h(
        "li",
        { class: "divider divider-new", role: "separator", "aria-label": "New messages" },
        h("span", {}, "New"),
      );
    return renderMessage(row, this.page);
  }

  #opening(conversation) {
    const { state } = this.page;
    const channel = state.channels.get(this.#channel);
    const title = this.page.actions.title(this.#channel);
    this.opening.hidden = !conversation?.atStart;
    if (this.opening.hidden || this.opening.dataset.title === `${this.#channel}${title}`) return;
    this.opening.dataset.title = `${this.#channel}${title}`;
    const [sign, heading, sentence] = isDm(channel)
      ? ["at", title, `This is the beginning of the direct messages with ${title}.`]
      : isThread(channel)
        ? ["thread", title, "This is the beginning of the thread."]
        : [
            "hash",
            `Welcome to #${title}`,
            channel.topic ||
              `This is the beginning of #${title}. Write something: bots that are connected hear it at once.`,
          ];
    this.opening.replaceChildren(
      h("span", { class: "opening-sign" }, icon(sign, 30)),
      h("h2", {}, heading),
      h("p", {}, sentence),
    );
  }

  #scrolled() {
    const { scroller } = this;
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    const conversation = this.page.state.conversations.get(this.#channel);
    if (!conversation) return;
    // Only going up leaves the bottom: content that grew since the last scroll may look the same from here.
    const wentUp = scroller.scrollTop < this.#top - 1;
    this.#top = scroller.scrollTop;
    if (below <= AT_BOTTOM) this.#following = conversation.atEnd;
    else if (wentUp) this.#following = false;
    else if (this.#following) this.#toBottom();
    this.present.hidden = this.#following;
    if (this.#following) {
      this.page.actions.markRead();
      this.page.store.change((state) => trimConversation(state, this.#channel));
    }
    if (scroller.scrollTop < NEAR_EDGE) this.page.actions.history.loadOlder(this.#channel);
    if (below < NEAR_EDGE && !conversation.atEnd) this.page.actions.history.loadNewer(this.#channel);
  }

  #toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** The first message in sight and where it stands, to put it back there after rows came above it. */
  #anchor() {
    const top = this.scroller.getBoundingClientRect().top;
    for (const element of this.list.children) {
      const box = element.getBoundingClientRect();
      if (box.bottom > top && element.dataset.id) return { id: element.dataset.id, offset: box.top - top };
    }
    return null;
  }

  #restore({ id, offset }) {
    const element = this.#element(id);
    if (!element) return;
    const now = element.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top;
    if (Math.abs(now - offset) > 1) this.scroller.scrollTop += now - offset;
  }

  #activate(element) {
    if (!element) return;
    const previous = this.#active && this.#element(this.#active);
    if (previous && previous !== element) setTabStops(previous, -1);
    this.list
      .querySelectorAll('[data-message][tabindex="0"]')
      .forEach((other) => other !== element && (other.tabIndex = -1));
    this.#active = element.dataset.id;
    setTabStops(element, 0);
  }

  /** After rows were drawn anew: the focused message keeps the focus, and exactly one message is a Tab stop. */
  #restoreFocus() {
    const active = this.#active && this.#element(this.#active);
    if (active) {
      setTabStops(active, 0);
      if (this.#held && document.activeElement === document.body) {
        const inside = this.#held.focus && active.querySelector(`[data-focus="${CSS.escape(this.#held.focus)}"]`);
        (inside ?? active).focus({ preventScroll: true });
      }
      return;
    }
    const last = [...this.list.querySelectorAll("[data-message]")].at(-1);
    this.list.querySelectorAll('[data-message][tabindex="0"]').forEach((element) => (element.tabIndex = -1));
    if (last) last.tabIndex = 0;
  }

  /** What had the focus in the list when it was last seen: a redraw that removed it left the focus on the body. */
  get #held() {
    return this.list.dataset.held ? { focus: this.list.dataset.held === "row" ? null : this.list.dataset.held } : null;
  }

  #key(event) {
    const element = event.target.closest("[data-message]");
    if (!element || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input, select"))
      return;
    if (event.key === "Escape") {
      event.preventDefault();
      if (event.target === element) this.page.focusComposer();
      else element.focus();
      return;
    }
    if (event.target !== element) return;
    const messages = [...this.list.querySelectorAll("[data-message]")];
    const at = messages.indexOf(element);
    const target = { ArrowUp: messages[at - 1], ArrowDown: messages[at + 1], Home: messages[0], End: messages.at(-1) }[
      event.key
    ];
    if (target) {
      event.preventDefault();
      target.focus();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.page.focusComposer();
    } else this.#shortcut(event, element);
  }

  #shortcut(event, element) {
    const message = this.page.state.conversations
      .get(this.#channel)
      ?.messages.find((candidate) => candidate.id === element.dataset.id);
    if (!message) return;
    const key = event.key === "Backspace" ? "Delete" : event.key;
    const tool = messageTools(message, this.page).find(
      (candidate) => candidate.key.toLowerCase() === key.toLowerCase(),
    );
    if (!tool) return;
    event.preventDefault();
    event.stopPropagation();
    tool.run(element);
  }
}

function setTabStops(element, value) {
  element.tabIndex = value;
  for (const inner of element.querySelectorAll(INNER)) inner.tabIndex = value;
}

/** Remembers on the list what inside it has the focus. */
export function rememberFocus(list) {
  list.addEventListener("focusin", (event) => (list.dataset.held = event.target.dataset.focus ?? "row"));
  document.addEventListener("focusin", (event) => !list.contains(event.target) && delete list.dataset.held);
  document.addEventListener("pointerdown", (event) => !list.contains(event.target) && delete list.dataset.held);
}
