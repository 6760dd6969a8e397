/**
 * One message as an element: face, name, what it answers, what it says and carries, its reactions and the tools that
 * show on hover and focus.
 */

import { emojiKey } from "../api.js";
import { clockTime, fullTime, messageTime, nameList } from "../format.js";
import {
  authorName,
  displayName,
  isSystem,
  MessageFlag,
  MessageType,
  mentionsUser,
  nameColour,
  reactedBy,
} from "../model.js";
import { isEmojiOnly, parse, plainText } from "../markdown.js";
import { renderAttachments } from "./attachments.js";
import { renderComponents } from "./components.js";
import { h } from "./dom.js";
import { editBox } from "./editbox.js";
import { renderEmbeds } from "./embeds.js";
import { icon } from "./icons.js";
import { plainNames, renderMarkdown } from "./markdown.js";
import { avatar, botTag } from "./people.js";

/** @param row a `{message, grouped}` row of `timelineRows` */
export function renderMessage({ message, grouped }, page) {
  if (isSystem(message)) return systemMessage(message, page);
  const { state, guildId } = page.context();
  const name = authorName(state, message, guildId);
  const date = new Date(message.timestamp);
  const flags = message.flags ?? 0;
  const classes = [
    "message",
    grouped && "grouped",
    message.pending && `is-${message.pending}`,
    flags & MessageFlag.EPHEMERAL && "is-ephemeral",
    mentionsUser(state, message, state.speaker, guildId) && "mentions-me",
  ];
  return h(
    "li",
    {
      class: classes.filter(Boolean).join(" "),
      tabindex: "-1",
      dataset: { id: message.id, message: "" },
      "aria-label": `${name}, ${messageTime(date)}: ${spoken(message, state, guildId)}`,
    },
    quotedLine(message, page),
    h(
      "div",
      { class: "gutter" },
      grouped
        ? h("time", { class: "hover-time", datetime: message.timestamp, title: fullTime(date) }, clockTime(date))
        : avatar(message.author, 40),
    ),
    h(
      "div",
      { class: "body" },
      grouped ? null : header(message, name, date, page),
      state.editing === message.id ? editBox(message, page) : content(message, page),
      renderAttachments(message.attachments, page) ?? pendingFiles(message),
      flags & MessageFlag.SUPPRESS_EMBEDS ? null : renderEmbeds(message.embeds, page),
      renderComponents(message, page),
      reactions(message, page),
      threadLine(message, page),
      failure(message, page),
      flags & MessageFlag.EPHEMERAL ? h("div", { class: "ephemeral-note" }, "Only you can see this answer.") : null,
    ),
    message.pending ? null : toolbar(message, page),
  );
}

/** What a screen reader and the announcer say of a message. */
export function spoken(message, state, guildId) {
  const text = plainText(parse(message.content), plainNames(state, guildId)).trim();
  const files = (message.attachments ?? []).map((attachment) => `file ${attachment.filename}`);
  const embeds = (message.embeds ?? []).map((embed) => embed.title).filter(Boolean);
  return [text, ...files, ...embeds].filter(Boolean).join(", ") || "message without text";
}

function header(message, name, date, page) {
  const { state, guildId } = page.context();
  const colour = message.webhook_id ? null : nameColour(state, message.author.id, guildId);
  return h(
    "div",
    { class: "message-header" },
    h(
      "button",
      {
        type: "button",
        class: "author",
        tabindex: "-1",
        vars: colour ? { "--name-colour": colour } : {},
        on: { click: (event) => page.showProfile(message.author, event.currentTarget) },
      },
      name,
    ),
    message.author.bot || message.webhook_id ? botTag(message) : null,
    h("time", { datetime: message.timestamp, title: fullTime(date) }, messageTime(date)),
  );
}

function content(message, page) {
  if ((message.flags ?? 0) & MessageFlag.LOADING && !message.content)
    return h(
      "div",
      { class: "content thinking" },
      `${message.author.global_name || message.author.username} is thinking…`,
    );
  const edited = message.edited_timestamp
    ? h("span", { class: "edited", title: fullTime(new Date(message.edited_timestamp)) }, "(edited)")
    : null;
  if (!message.content) return edited ? h("div", { class: "content" }, edited) : null;
  const tree = parse(message.content);
  return h(
    "div",
    { class: isEmojiOnly(tree) ? "content jumbo" : "content", dir: "auto" },
    renderMarkdown(tree, page.context()),
    edited,
  );
}

/** The line above an answer: whom and what it answers; or who used which command. */
function quotedLine(message, page) {
  const { state, guildId } = page.context();
  const used = message.interaction_metadata ?? message.interaction;
  if ([MessageType.COMMAND, MessageType.CONTEXT_COMMAND].includes(message.type) && used) {
    const user = used.user ?? state.users.get(used.user_id);
    return h(
      "div",
      { class: "quoted" },
      avatar(user, 16),
      h("strong", {}, displayName(state, user?.id, guildId)),
      ` used ${used.name ? `/${used.name}` : "a command"}`,
    );
  }
  if (message.type !== MessageType.REPLY || !message.message_reference) return null;
  const original = message.referenced_message;
  if (!original) return h("div", { class: "quoted" }, h("em", {}, "The original message was deleted."));
  const text = spoken(original, state, guildId).slice(0, 160);
  return h(
    "button",
    {
      type: "button",
      class: "quoted",
      tabindex: "-1",
      "aria-label": `Jump to the message of ${authorName(state, original, guildId)}`,
      on: { click: () => page.jumpTo(original.id) },
    },
    avatar(original.author, 16),
    h("strong", {}, authorName(state, original, guildId)),
    h("span", { class: "quoted-text" }, text),
  );
}

function reactions(message, page) {
  if (!message.reactions?.length) return null;
  const { state, guildId } = page.context();
  const chips = message.reactions.map((reaction) => {
    const mine = reactedBy(reaction, state.speaker);
    const who = nameList((reaction.users ?? []).map((id) => displayName(state, id, guildId)));
    return h(
      "button",
      {
        type: "button",
        class: mine ? "reaction mine" : "reaction",
        tabindex: "-1",
        "aria-pressed": String(mine),
        title: `${who} reacted with ${reaction.emoji.name}`,
        "aria-label": `${reaction.emoji.name}, ${reaction.count}`,
        dataset: { emoji: emojiKey(reaction.emoji), focus: `reaction-${emojiKey(reaction.emoji)}` },
        on: { click: () => page.actions.toggleReaction(message, reaction.emoji) },
      },
      reaction.emoji.id
        ? renderMarkdown([{ type: "emoji", ...reaction.emoji }], page.context())
        : h("span", { class: "emoji" }, reaction.emoji.name),
      h("span", { class: "count" }, String(reaction.count)),
    );
  });
  const add = h(
    "button",
    {
      type: "button",
      class: "reaction add",
      tabindex: "-1",
      "aria-label": "Add a reaction",
      on: { click: (event) => page.pickReaction(message, event.currentTarget) },
    },
    icon("smile", 16),
  );
  return h("div", { class: "reactions", role: "group", "aria-label": "Reactions" }, chips, add);
}

function threadLine(message, page) {
  const { state } = page.context();
  const thread = state.channels.get(message.thread?.id ?? message.id);
  if (!thread || thread.id === state.selected) return null;
  return h(
    "button",
    { type: "button", class: "thread-link", tabindex: "-1", on: { click: () => page.actions.openChannel(thread.id) } },
    icon("thread", 16),
    h("strong", {}, thread.name),
    h("span", {}, "Open thread"),
  );
}

function pendingFiles(message) {
  if (!message.files?.length) return null;
  return h(
    "div",
    { class: "attachments" },
    message.files.map((file) =>
      h("span", { class: "file-card" }, icon("file", 24), h("span", { class: "file-name" }, file.name)),
    ),
  );
}

function failure(message, page) {
  if (message.pending !== "failed") return null;
  return h(
    "div",
    { class: "failure", role: "alert" },
    icon("warn", 16),
    h("span", {}, `Not sent. ${message.error}`),
    h(
      "button",
      { type: "button", class: "text-button", on: { click: () => page.actions.retry(message) } },
      "Try again",
    ),
    h(
      "button",
      { type: "button", class: "text-button", on: { click: () => page.actions.discard(message) } },
      "Discard",
    ),
  );
}

/** `[{name, label, key, run}]` of what the speaker may do with a message: the toolbar and the keyboard both use it. */
export function messageTools(message, page) {
  const { state } = page.context();
  const mine = message.author.id === state.speaker && !message.webhook_id;
  const threadable = page.channel()?.type === 0 && !state.channels.has(message.id);
  return [
    { name: "smile", label: "Add a reaction", key: "+", run: (anchor) => page.pickReaction(message, anchor) },
    { name: "reply", label: "Reply", key: "r", run: () => page.actions.reply(message.id) },
    mine && { name: "pencil", label: "Edit", key: "e", run: () => page.actions.startEdit(message.id) },
    threadable && { name: "thread", label: "Start a thread", key: "t", run: () => page.askThread(message) },
    { name: "copy", label: "Copy the text", key: "c", run: () => page.copyText(message.content) },
    { name: "trash", label: "Delete", key: "Delete", danger: true, run: () => page.askDelete(message) },
  ].filter(Boolean);
}

function toolbar(message, page) {
  return h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
    messageTools(message, page).map((tool) =>
      h(
        "button",
        {
          type: "button",
          class: tool.danger ? "danger" : null,
          tabindex: "-1",
          "aria-label": tool.label,
          title: `${tool.label} (${tool.key.toUpperCase()})`,
          on: { click: (event) => tool.run(event.currentTarget) },
        },
        icon(tool.name, 18),
      ),
    ),
  );
}

const SYSTEM = {
  [MessageType.JOIN]: ["join", () => " came aboard."],
  [MessageType.PIN]: ["pin", () => " pinned a message."],
  [MessageType.THREAD_CREATED]: ["thread", (message) => ` started a thread: ${message.content}`],
  [MessageType.THREAD_STARTER]: ["thread", () => "’s message began this thread."],
};

function systemMessage(message, page) {
  const { state, guildId } = page.context();
  const [name, sentence] = SYSTEM[message.type] ?? [
    "help",
    () => ` (system message of type ${message.type}) ${message.content ?? ""}`,
  ];
  const date = new Date(message.timestamp);
  const author = authorName(state, message, guildId);
  return h(
    "li",
    {
      class: "message system",
      tabindex: "-1",
      dataset: { id: message.id, message: "" },
      "aria-label": `${author}${sentence(message)}`,
    },
    h("div", { class: "gutter" }, icon(name, 18)),
    h(
      "div",
      { class: "body" },
      h("span", { class: "content" }, h("strong", {}, author), sentence(message)),
      " ",
      h("time", { datetime: message.timestamp, title: fullTime(date) }, messageTime(date)),
      threadLine({ ...message, thread: { id: message.message_reference?.channel_id } }, page),
    ),
  );
}
