/**
 * What stands in the box and what is sent.
 *
 * A person writes `@ada`, `#general` and `:tada:`; Discord wants `<@id>`, `<#id>` and the sign. `encode` and `decode`
 * translate, outside code; `triggerAt` finds what the caret stands in, for the list of suggestions. Pure functions
 * over text and plain lists.
 */

import { emojiByName, searchEmoji } from "./emoji.js";
import { matchRank } from "./model.js";

const CODE = /(```[^]*?```|`[^`\n]+`)/;

/** @param {{users: [{id, username}], channels: [{id, name}], roles: [{id, name}], emojis?: [{id, name}]}} names */
export function encode(text, names) {
  return outsideCode(text, (part) => {
    let out = part.replace(/(^|[^\w:<]):([\w+-]+):/g, (whole, before, name) => {
      const own = (names.emojis ?? []).find((emoji) => emoji.name === name);
      const sign = own ? `<${own.animated ? "a" : ""}:${name}:${own.id}>` : emojiByName(name);
      return sign ? before + sign : whole;
    });
    out = replaceNames(
      out,
      "@",
      names.users.map((user) => [user.username, `<@${user.id}>`]),
    );
    out = replaceNames(
      out,
      "@",
      names.roles.filter((role) => role.name !== "@everyone").map((role) => [role.name, `<@&${role.id}>`]),
    );
    return replaceNames(
      out,
      "#",
      names.channels.map((channel) => [channel.name, `<#${channel.id}>`]),
    );
  });
}

/** The reverse, for the box in which a message is edited. An id that nobody has stays as it is. */
export function decode(text, names) {
  return outsideCode(text, (part) =>
    part.replace(/<(@!?|@&|#)(\d{1,20})>/g, (whole, sign, id) => {
      if (sign === "#") return prefixed("#", names.channels.find((channel) => channel.id === id)?.name) ?? whole;
      if (sign === "@&") return prefixed("@", names.roles.find((role) => role.id === id)?.name) ?? whole;
      return prefixed("@", names.users.find((user) => user.id === id)?.username) ?? whole;
    }),
  );
}

function prefixed(sign, name) {
  return name ? sign + name : null;
}

function outsideCode(text, translate) {
  return text
    .split(CODE)
    .map((part, index) => (index % 2 ? part : translate(part)))
    .join("");
}

function replaceNames(text, sign, pairs) {
  const sorted = pairs.filter(([name]) => name).sort((a, b) => b[0].length - a[0].length); // the longest name wins
  if (!sorted.length || !text.includes(sign)) return text;
  const marks = new Map(sorted.map(([name, mark]) => [name.toLowerCase(), mark]));
  const names = sorted.map(([name]) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const expression = new RegExp(
    `(^|[^\\p{L}\\p{N}_<${sign}])${sign}(${names})(?![\\p{L}\\p{N}_]|[.-][\\p{L}\\p{N}_])`,
    "giu",
  );
  return text.replace(expression, (_, before, name) => before + marks.get(name.toLowerCase()));
}

/** What the caret stands in: `{kind: "mention" | "channel" | "emoji", query, start}` or null. */
export function triggerAt(text, caret) {
  const before = text.slice(0, caret);
  if ((before.match(/```/g) ?? []).length % 2) return null;
  const found = /(^|[\s(*_~|>"'])([@#:])([\p{L}\p{N}_.+-]{0,32})$/u.exec(before);
  if (!found) return null;
  const kind = { "@": "mention", "#": "channel", ":": "emoji" }[found[2]];
  if (kind === "emoji" && found[3].length < 2) return null;
  return { kind, query: found[3], start: caret - found[3].length - 1 };
}

/** Suggestions for a trigger: `[{insert, label, detail, user?, char?}]`. */
export function suggestionsFor(trigger, names, most = 8) {
  if (trigger.kind === "emoji") {
    const own = ranked(names.emojis ?? [], (emoji) => [emoji.name], trigger.query, most);
    const common = searchEmoji(trigger.query, most).map(({ char, words }) => ({
      insert: char,
      label: `:${words[0]}:`,
      detail: "",
      char,
    }));
    return [...own.map(({ name }) => ({ insert: `:${name}:`, label: `:${name}:`, detail: "" })), ...common].slice(
      0,
      most,
    );
  }
  if (trigger.kind === "channel") {
    return ranked(names.channels, (channel) => [channel.name], trigger.query, most).map((channel) => ({
      insert: `#${channel.name}`,
      label: `#${channel.name}`,
      detail: channel.topic ?? "",
    }));
  }
  const people = ranked(names.users, (user) => [user.username, user.nick, user.global_name], trigger.query, most).map(
    (user) => ({
      insert: `@${user.username}`,
      label: user.nick || user.global_name || user.username,
      detail: `@${user.username}`,
      user,
    }),
  );
  const roles = ranked(
    names.roles.filter((role) => role.name !== "@everyone"),
    (role) => [role.name],
    trigger.query,
    most,
  ).map((role) => ({ insert: `@${role.name}`, label: `@${role.name}`, detail: "Role" }));
  const all = [
    ["everyone", "Everyone in this channel"],
    ["here", "Everyone who is online here"],
  ]
    .filter(([name]) => name.startsWith(trigger.query.toLowerCase()))
    .map(([name, detail]) => ({ insert: `@${name}`, label: `@${name}`, detail }));
  return [...people, ...roles, ...all].slice(0, most);
}

function ranked(items, texts, query, most) {
  const rank = (item) =>
    Math.min(
      ...texts(item)
        .filter(Boolean)
        .map((text) => matchRank(text, query))
        .map((value) => (value < 0 ? 9 : value)),
      9,
    );
  return items
    .map((item) => ({ item, rank: rank(item) }))
    .filter((entry) => entry.rank < 9)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, most)
    .map((entry) => entry.item);
}

/** The text after a suggestion was taken, and where the caret goes. */
export function insertSuggestion(text, caret, start, insert) {
  const after = text.slice(caret);
  const gap = /^\s/.test(after) ? "" : " ";
  return { text: text.slice(0, start) + insert + gap + after, caret: start + insert.length + 1 };
}
