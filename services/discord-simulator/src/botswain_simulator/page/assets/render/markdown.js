/**
 * From the Markdown tree to elements. What a node type has no builder for can't appear; text only ever becomes text
 * nodes.
 */

import { fullTime, stamp } from "../format.js";
import { highlight } from "../highlight.js";
import { channelTitle, displayName } from "../model.js";
import { h, safeUrl } from "./dom.js";
import { icon } from "./icons.js";

/** @param {{state, guildId, openChannel: (id) => void}} context @returns array of DOM nodes */
export function renderMarkdown(nodes, context) {
  return nodes.map((node) => BUILDERS[node.type](node, context));
}

/** How mentions read in plain text, for `plainText`. */
export function plainNames(state, guildId) {
  return {
    user: (id) => `@${displayName(state, id, guildId)}`,
    channel: (id) => `#${channelTitle(state, state.channels.get(id)) || "unknown"}`,
    role: (id) => `@${roleOf(state, guildId, id)?.name ?? "unknown role"}`,
    everyone: () => "@everyone",
    here: () => "@here",
  };
}

const wrap = (tag, className) => (node, context) =>
  h(tag, { class: className }, renderMarkdown(node.children, context));

const BUILDERS = {
  text: (node) => document.createTextNode(node.text),
  br: () => h("br"),
  strong: wrap("strong"),
  em: wrap("em"),
  underline: wrap("u"),
  strike: wrap("s"),
  quote: wrap("blockquote", "md-quote"),
  subtext: wrap("small", "md-subtext"),
  heading: (node, context) =>
    h(
      "div",
      { class: `md-heading md-h${node.level}`, role: "heading", "aria-level": node.level + 3 },
      renderMarkdown(node.children, context),
    ),
  list: (node, context) =>
    h(
      node.ordered ? "ol" : "ul",
      { class: "md-list", start: node.ordered && node.start !== 1 ? node.start : null },
      node.items.map((item) => h("li", {}, renderMarkdown(item, context))),
    ),
  code: (node) => h("code", { class: "md-code" }, node.text),
  codeblock: codeBlock,
  spoiler,
  link: (node, context) => {
    const url = safeUrl(node.url);
    const children = renderMarkdown(node.children, context);
    return url
      ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer", class: "md-link", title: node.url }, children)
      : h("span", {}, children);
  },
  mention,
  emoji: (node) => {
    const image = h("img", {
      class: "md-emoji",
      src: `/cdn/emojis/${node.id}.${node.animated ? "gif" : "png"}`,
      alt: `:${node.name}:`,
      title: `:${node.name}:`,
      draggable: "false",
    });
    image.addEventListener("error", () => image.replaceWith(h("span", { class: "md-emoji-name" }, `:${node.name}:`)));
    return image;
  },
  timestamp: (node) => {
    const date = new Date(node.unix * 1000);
    const valid = !Number.isNaN(date.getTime());
    return h(
      "time",
      { class: "md-time", datetime: valid ? date.toISOString() : null, title: valid ? fullTime(date) : null },
      stamp(node.unix, node.style),
    );
  },
  command: (node) => h("span", { class: "mention" }, `/${node.name}`),
};

function codeBlock(node) {
  const language = /^[a-z0-9_+\-.#]+$/.test(node.lang) ? node.lang : "";
  const code = h(
    "code",
    { class: language ? `language-${language}` : null },
    highlight(node.text, language).map(([kind, text]) => (kind ? h("span", { class: `tok-${kind}` }, text) : text)),
  );
  const copy = h(
    "button",
    { type: "button", class: "code-copy", "aria-label": "Copy the code", title: "Copy", tabindex: "-1" },
    icon("copy", 16),
  );
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(node.text);
    copy.classList.add("done");
  });
  return h(
    "div",
    { class: "codeblock" },
    language ? h("span", { class: "code-language" }, language) : null,
    copy,
    h("pre", { tabindex: "-1" }, code),
  );
}

/** Hidden until clicked, or until Enter or Space when it has the focus. */
function spoiler(node, context) {
  const element = h(
    "span",
    { class: "md-spoiler", role: "button", tabindex: "0", "aria-label": "Spoiler, show it" },
    h("span", { class: "md-spoiler-inner", inert: true }, renderMarkdown(node.children, context)),
  );
  const reveal = (event) => {
    if (element.classList.contains("shown") || (event.type === "keydown" && event.key !== "Enter" && event.key !== " "))
      return;
    event.preventDefault();
    event.stopPropagation();
    element.classList.add("shown");
    element.firstChild.inert = false;
    for (const name of ["role", "tabindex", "aria-label"]) element.removeAttribute(name);
  };
  element.addEventListener("click", reveal);
  element.addEventListener("keydown", reveal);
  return element;
}

function roleOf(state, guildId, id) {
  return state.guilds.get(guildId)?.roles.find((role) => role.id === id);
}

function mention(node, context) {
  const { state, guildId } = context;
  if (node.kind === "channel") return channelMention(node, context);
  const mine = node.kind === "user" && node.id === state.speaker;
  const role = node.kind === "role" ? roleOf(state, guildId, node.id) : null;
  const name = {
    user: () => displayName(state, node.id, guildId),
    role: () => role?.name ?? "unknown role",
    everyone: () => "everyone",
    here: () => "here",
  }[node.kind]();
  return h(
    "span",
    { class: `mention${mine ? " mention-me" : ""}`, dataset: { id: node.id ?? "" } },
    `@${name.replace(/^@/, "")}`,
  );
}

function channelMention(node, { state, openChannel }) {
  const channel = state.channels.get(node.id);
  if (!channel) return h("span", { class: "mention" }, "#unknown");
  return h(
    "button",
    { type: "button", class: "mention mention-channel", tabindex: "-1", on: { click: () => openChannel(node.id) } },
    `#${channelTitle(state, channel)}`,
  );
}
