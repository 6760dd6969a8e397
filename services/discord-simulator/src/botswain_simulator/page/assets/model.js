/**
 * What the page's data means: order, names, grouping, unread. Plain functions over Discord's own objects, no DOM and
 * no clock of their own.
 */

import { dayKey } from "./format.js";

export const ChannelType = {
  TEXT: 0,
  DM: 1,
  VOICE: 2,
  GROUP_DM: 3,
  CATEGORY: 4,
  NEWS: 5,
  NEWS_THREAD: 10,
  PUBLIC_THREAD: 11,
  PRIVATE_THREAD: 12,
  STAGE: 13,
  FORUM: 15,
};
export const MessageType = {
  DEFAULT: 0,
  PIN: 6,
  JOIN: 7,
  THREAD_CREATED: 18,
  REPLY: 19,
  COMMAND: 20,
  THREAD_STARTER: 21,
  CONTEXT_COMMAND: 23,
};
export const MessageFlag = { SUPPRESS_EMBEDS: 1 << 2, EPHEMERAL: 1 << 6, LOADING: 1 << 7, COMPONENTS_V2: 1 << 15 };

const GROUP_GAP_MS = 7 * 60_000;

/** Snowflakes are decimal strings too long for a number: the shorter one is the older one. */
export function compareIds(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export function isThread(channel) {
  return channel.type >= ChannelType.NEWS_THREAD && channel.type <= ChannelType.PRIVATE_THREAD;
}

export function isDm(channel) {
  return channel.type === ChannelType.DM || channel.type === ChannelType.GROUP_DM;
}

export function isReadable(channel) {
  return channel.type !== ChannelType.CATEGORY;
}

export function userName(user) {
  return user?.global_name || user?.username || "Someone";
}

/** A member's nickname in the guild, else the user's display name, else their username. */
export function displayName(state, userId, guildId) {
  const nick = guildId ? state.guilds.get(guildId)?.members.get(userId)?.nick : null;
  return nick || userName(state.users.get(userId));
}

export function authorName(state, message, guildId) {
  if (message.webhook_id) return userName(message.author);
  const nick = guildId ? state.guilds.get(guildId)?.members.get(message.author.id)?.nick : null;
  return nick || userName(message.author);
}

/** The colour of a member's highest coloured role as "#rrggbb", or null. */
export function nameColour(state, userId, guildId) {
  const guild = state.guilds.get(guildId);
  const owned = guild?.members.get(userId)?.roles ?? [];
  const coloured = (guild?.roles ?? [])
    .filter((role) => role.color && owned.includes(role.id))
    .sort((a, b) => b.position - a.position);
  return coloured.length ? `#${coloured[0].color.toString(16).padStart(6, "0")}` : null;
}

export function channelTitle(state, channel) {
  if (!channel) return "";
  if (!isDm(channel)) return channel.name ?? "unnamed";
  const others = dmPartners(state, channel);
  return channel.name || others.map(userName).join(", ") || "Direct message";
}

export function dmPartners(state, channel) {
  const recipients = (channel.recipients ?? []).map((user) => state.users.get(user.id) ?? user);
  const others = recipients.filter((user) => user.id !== state.speaker);
  return others.length ? others : recipients;
}

/** A direct message belongs to those in it: the speaker sees only their own. */
export function dmsOf(state, userId) {
  const mine = [...state.channels.values()].filter((channel) => isDm(channel) && takesPart(channel, userId));
  return mine.sort((a, b) => compareIds(b.last_message_id ?? b.id, a.last_message_id ?? a.id));
}

function takesPart(channel, userId) {
  const recipients = channel.recipients ?? [];
  const humans = recipients.filter((user) => !user.bot);
  return !humans.length || humans.some((user) => user.id === userId);
}

function byPosition(a, b) {
  return (a.position ?? 0) - (b.position ?? 0) || compareIds(a.id, b.id);
}

/** `[{category: channel|null, channels: [{channel, threads}]}]`, uncategorised first, as the sidebar shows them. */
export function channelTree(state, guildId) {
  const all = [...state.channels.values()].filter((channel) => channel.guild_id === guildId);
  const threads = all.filter(isThread);
  const plain = all.filter((channel) => !isThread(channel));
  const branch = (channel) => ({
    channel,
    threads: threads
      .filter((thread) => thread.parent_id === channel.id && !thread.thread_metadata?.archived)
      .sort((a, b) => compareIds(a.id, b.id)),
  });
  const categories = plain.filter((channel) => channel.type === ChannelType.CATEGORY).sort(byPosition);
  const known = new Set(categories.map((category) => category.id));
  const under = (parentId) =>
    plain
      .filter(
        (channel) =>
          channel.type !== ChannelType.CATEGORY &&
          (parentId ? channel.parent_id === parentId : !known.has(channel.parent_id)),
      )
      .sort(byPosition)
      .map(branch);
  return [
    { category: null, channels: under(null) },
    ...categories.map((category) => ({ category, channels: under(category.id) })),
  ].filter((group) => group.category || group.channels.length);
}

/** Channels in the order the sidebar shows them: what Alt+Up and Alt+Down walk through. */
export function channelOrder(state, guildId) {
  if (!guildId) return dmsOf(state, state.speaker).map((channel) => channel.id);
  return channelTree(state, guildId).flatMap((group) =>
    group.channels.flatMap(({ channel, threads }) => [channel.id, ...threads.map((thread) => thread.id)]),
  );
}

/** Members as the right column shows them: bots that are online, people, bots that are offline. */
export function memberGroups(state, channel) {
  const ids = channel.guild_id
    ? [...(state.guilds.get(channel.guild_id)?.members.keys() ?? [])]
    : (channel.recipients ?? []).map((user) => user.id);
  const users = ids.map((id) => state.users.get(id)).filter(Boolean);
  const sorted = (list) =>
    list.sort((a, b) =>
      displayName(state, a.id, channel.guild_id).localeCompare(displayName(state, b.id, channel.guild_id)),
    );
  const groups = [
    {
      title: "Bots online",
      online: true,
      users: sorted(users.filter((user) => user.bot && state.online.has(user.id))),
    },
    { title: "People", online: true, users: sorted(users.filter((user) => !user.bot)) },
    {
      title: "Bots offline",
      online: false,
      users: sorted(users.filter((user) => user.bot && !state.online.has(user.id))),
    },
  ];
  return groups.filter((group) => group.users.length);
}

const GROUPABLE = new Set([MessageType.DEFAULT, undefined]);

/** True when `message` continues `previous`: same author, no reply, close in time, same day. */
export function continues(previous, message) {
  if (!previous || !GROUPABLE.has(message.type) || message.message_reference || message.interaction_metadata)
    return false;
  if (
    isSystem(previous) ||
    previous.author.id !== message.author.id ||
    previous.author.username !== message.author.username
  )
    return false;
  const before = new Date(previous.timestamp);
  const after = new Date(message.timestamp);
  return after - before < GROUP_GAP_MS && dayKey(before) === dayKey(after);
}

const CONVERSATIONAL = new Set([
  MessageType.DEFAULT,
  MessageType.REPLY,
  MessageType.COMMAND,
  MessageType.CONTEXT_COMMAND,
  undefined,
]);

export function isSystem(message) {
  return !CONVERSATIONAL.has(message.type);
}

/**
 * The rows of a conversation: `{kind: "day", key, date}`, `{kind: "new", key}`, `{kind: "message", key, message,
 * grouped}`.
 */
export function timelineRows(messages, unreadAfter = null) {
  const rows = [];
  let previous = null;
  let marked = unreadAfter === null;
  for (const message of messages) {
    const date = new Date(message.timestamp);
    const newDay = !previous || dayKey(new Date(previous.timestamp)) !== dayKey(date);
    if (newDay) rows.push({ kind: "day", key: `day-${dayKey(date)}`, date });
    const firstUnread = !marked && !message.pending && compareIds(message.id, unreadAfter) > 0;
    if (firstUnread) {
      rows.push({ kind: "new", key: "new" });
      marked = true;
    }
    rows.push({
      kind: "message",
      key: message.pending ? `pending-${message.nonce}` : message.id,
      message,
      grouped: !newDay && !firstUnread && continues(previous, message),
    });
    previous = message;
  }
  return rows;
}

/** Whether a message calls upon this user: by name, by one of their roles, or everyone. */
export function mentionsUser(state, message, userId, guildId) {
  if (message.author.id === userId) return false;
  if (message.mention_everyone || (message.mentions ?? []).some((user) => user.id === userId)) return true;
  const roles = state.guilds.get(guildId)?.members.get(userId)?.roles ?? [];
  return (message.mention_roles ?? []).some((role) => roles.includes(role));
}

export function isUnread(state, channel) {
  if (!channel.last_message_id || channel.id === state.selected) return false;
  const read = state.read.get(channel.id);
  return Boolean(read) && compareIds(channel.last_message_id, read) > 0;
}

export function reactedBy(reaction, userId) {
  return (reaction.users ?? []).includes(userId);
}

export function sameEmoji(a, b) {
  return a.id || b.id ? a.id === b.id : a.name === b.name;
}

/** The channel's guild, also for a thread's parent; null in direct messages. */
export function guildOf(state, channelId) {
  return state.channels.get(channelId)?.guild_id ?? null;
}

/** Case-insensitive match with rank: 0 exact start, 1 start of a word, 2 inside, 3 letters in order, -1 none. */
export function matchRank(text, query) {
  const hay = text.toLowerCase();
  const needle = query.toLowerCase().trim();
  if (!needle || hay.startsWith(needle)) return 0;
  const at = hay.indexOf(needle);
  if (at > 0) return /[\p{L}\p{N}]/u.test(hay[at - 1]) ? 2 : 1;
  let position = 0;
  for (const letter of hay) if (letter === needle[position]) position += 1;
  return position === needle.length ? 3 : -1;
}
