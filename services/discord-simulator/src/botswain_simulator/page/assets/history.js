/**
 * Loads what is not live: the state of the world, and pages of conversations.
 *
 * An answer is as old as the moment the server wrote it, and events may overtake it on their own connection. So the
 * events that arrive while an answer is on its way are applied once more on top of it; applying one twice changes
 * nothing, losing one would lose a message.
 */

import { api } from "./api.js";
import { addPage, reduce } from "./store.js";

const PAGE = 50;

export class History {
  #waiting = new Set();

  /** @param attempt runs an API call, tells its failure and then gives undefined */
  constructor(store, attempt) {
    this.store = store;
    this.attempt = attempt;
  }

  /** Every event of the stream passes here too. */
  record(name, data) {
    for (const events of this.#waiting) events.push([name, data]);
  }

  /** Fetches, then applies the answer by `apply(state, answer)` and what happened meanwhile. @returns the answer */
  async load(fetch, apply) {
    const meanwhile = [];
    this.#waiting.add(meanwhile);
    const answer = await this.attempt(fetch);
    this.#waiting.delete(meanwhile);
    if (answer) {
      this.store.change((state) => [
        ...apply(state, answer),
        ...meanwhile.flatMap(([name, data]) => reduce(state, name, data)),
      ]);
    }
    return answer;
  }

  loadLatest(channelId) {
    return this.#page(channelId, {});
  }

  loadOlder(channelId) {
    const first = this.#conversation(channelId)?.messages[0];
    return this.#more(channelId, first && { before: first.id }, "atStart");
  }

  loadNewer(channelId) {
    const last = this.#conversation(channelId)?.messages.at(-1);
    return this.#more(channelId, last && { after: last.id }, "atEnd");
  }

  /** Makes sure a message is among those loaded, to jump to it. @returns whether it is */
  async loadAround(channelId, messageId) {
    if (this.#conversation(channelId)?.messages.some((message) => message.id === messageId)) return true;
    const page = await this.#page(channelId, { around: messageId });
    return Boolean(page?.some((message) => message.id === messageId));
  }

  #conversation(channelId) {
    return this.store.state.conversations.get(channelId);
  }

  #page(channelId, range) {
    return this.load(
      () => api.messages(channelId, { ...range, limit: PAGE }),
      (state, page) => addPage(state, channelId, range, page, PAGE),
    );
  }

  async #more(channelId, range, edge) {
    const conversation = this.#conversation(channelId);
    if (!range || !conversation || conversation.loading || conversation[edge]) return;
    conversation.loading = true;
    await this.#page(channelId, range);
    conversation.loading = false;
  }
}
