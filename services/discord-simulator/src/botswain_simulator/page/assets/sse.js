/**
 * Server-Sent Events over `fetch`.
 *
 * Not the browser's EventSource: that one hides when a connection is lost and when the next attempt comes, and a new
 * one can't say which event it saw last. `SseParser` is the wire format alone (pure); `EventStream` keeps one
 * connection open, tells its state, and resumes with `Last-Event-ID`.
 */

/** Feed it chunks of text; it gives back the events that became complete: `[{id, event, data}]`. */
export class SseParser {
  #rest = "";
  #data = [];
  #event = "";
  lastId = "";

  push(chunk) {
    const events = [];
    // A "\r" at the very end may be the first half of "\r\n": it waits for the next chunk.
    const lines = (this.#rest + chunk).split(/\r\n|\n|\r(?=[^])/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") this.#finish(events);
      else if (!line.startsWith(":")) this.#field(line);
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id") this.lastId = value;
  }

  #finish(events) {
    // The format drops an event without data; `resync` may come bare, and is too important for that.
    if (this.#data.length || this.#event)
      events.push({ id: this.lastId, event: this.#event || "message", data: this.#data.join("\n") });
    this.#data = [];
    this.#event = "";
  }
}

/**
 * Milliseconds until attempt number `attempt` (from 0): quick at first, then every 5 s, spread so that many pages
 * don't return in step.
 */
export function retryDelay(attempt, random = Math.random) {
  return Math.min(5000, 400 * 2 ** attempt) * (0.75 + random() * 0.5);
}

/** Longer than two of the server's keep-alive comments: past it the connection is dead, whatever TCP believes. */
const SILENCE_MS = 40_000;

export class EventStream {
  #parser = new SseParser();
  #attempt = 0;
  #abort = null;
  #wake = null;
  #closed = false;

  /** `onEvent(name, data)`, `onState("connecting" | "open" | "lost", reconnected)`. */
  constructor(url, { onEvent, onState }) {
    this.url = url;
    this.onEvent = onEvent;
    this.onState = onState;
  }

  /** Runs until `close()`. */
  async run() {
    let everOpen = false;
    this.onState("connecting", false);
    while (!this.#closed) {
      try {
        await this.#connect(() => {
          this.#attempt = 0;
          this.onState("open", everOpen);
          everOpen = true;
        });
      } catch (error) {
        if (this.#closed) return;
        if (!(error instanceof TypeError || error instanceof DOMException || error instanceof StreamRefused))
          throw error;
      }
      if (this.#closed) return;
      this.onState("lost", false);
      await this.#pause(retryDelay(this.#attempt));
      this.#attempt += 1;
    }
  }

  /** Don't wait for the next attempt: the network came back, or a person asked. */
  retryNow() {
    this.#wake?.();
  }

  close() {
    this.#closed = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  async #connect(opened) {
    this.#abort = new AbortController();
    const headers = { accept: "text/event-stream" };
    if (this.#parser.lastId) headers["last-event-id"] = this.#parser.lastId;
    const lastId = this.#parser.lastId;
    this.#parser = new SseParser();
    this.#parser.lastId = lastId;
    let watchdog = 0;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => this.#abort.abort(), SILENCE_MS);
    };
    alive();
    try {
      const response = await fetch(this.url, { headers, cache: "no-store", signal: this.#abort.signal });
      if (!response.ok || !response.body) throw new StreamRefused(`the event stream answered ${response.status}`);
      opened();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        for (const { event, data } of this.#parser.push(value)) this.onEvent(event, data ? JSON.parse(data) : null);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

class StreamRefused extends Error {}
