/**
 * The page's state and the only code that changes it.
 *
 * State is made of Discord's objects in maps by id. A message object is never changed in place but replaced, so that
 * the timeline can tell by identity which rows are to be drawn anew. `Store.change(fn)` runs a change and tells the
 * listeners once per frame which parts changed; `reduce` (pure over the state it is given) applies one event of the
 * stream.
 *
 * A conversation holds a window of messages, oldest first: `atStart` when nothing older exists, `atEnd` when it
 * reaches the present. Only at its end does it take live messages.
 */

import { compareIds, isReadable, mentionsUser, sameEmoji } from "./model.js";

export const TYPING_MS = 10_000;
const WINDOW = 400; // messages kept of a conversation that follows the present

export function emptyState() {
  return {
    loaded: false,
    connection: "connecting", // connecting | open | lost
    me: null,
    speaker: null, // whom the page speaks as
    users: new Map(), // humans and bots
    bots: new Map(), // user id -> {application_id}
    online: new Set(),
    guilds: new Map(), // id -> {…, members: Map(user id -> member)}
    channels: new Map(), // channels, threads and direct messages
    conversations: new Map(), // channel id -> {messages, atStart, atEnd, loading}
    pending: new Map(), // channel id -> messages on their way out
    typing: new Map(), // channel id -> Map(user id -> time it ends, ms)
    read: new Map(), // channel id -> id of the last message read
    unreadFrom: null, // where "new" stood when the selected channel was opened
    mentions: new Map(), // channel id -> count of unread mentions
    selected: null,
    guild: null, // selected guild, null for direct messages
    replyTo: null,
    editing: null,
  };
}

export class Store {
  #listeners = [];
  #changed = new Set();
  #scheduled = false;

  constructor(state = emptyState(), schedule = (run) => setTimeout(run, 0)) {
    this.state = state;
    this.schedule = schedule;
  }

  /** `topics` are words such as "messages" or "channels"; the listener gets the set that changed. */
  subscribe(topics, listener) {
    this.#listeners.push({ topics, listener });
  }

  /** `change(state)` changes the state and returns the topics it touched. */
  change(change) {
    for (const topic of change(this.state) ?? []) this.#changed.add(topic);
    if (this.#changed.size && !this.#scheduled) {
      this.#scheduled = true;
      this.schedule(() => this.flush());
    }
  }

  flush() {
    this.#scheduled = false;
    const changed = this.#changed;
    this.#changed = new Set();
    for (const { topics, listener } of this.#listeners)
      if (topics.some((topic) => changed.has(topic))) listener(changed);
  }
}

/** Takes a whole `/sim/state` answer; what the page itself knows (selection, read marks) stays. */
export function loadState(state, answer) {
  state.me = answer.me;
  state.users = new Map([...answer.users, ...answer.bots.map((bot) => bot.user)].map((user) => [user.id, user]));
  state.bots = new Map(answer.bots.map((bot) => [bot.user.id, { application_id: bot.application_id }]));
  state.online = new Set(answer.bots.filter((bot) => bot.online).map((bot) => bot.user.id));
  state.guilds = new Map();
  state.channels = new Map();
  for (const guild of answer.guilds) addGuild(state, guild);
  for (const channel of answer.dms) state.channels.set(channel.id, channel);
  if (!state.users.has(state.speaker) || state.bots.has(state.speaker)) state.speaker = answer.me;
  for (const channel of state.channels.values())
    if (!state.read.has(channel.id)) state.read.set(channel.id, channel.last_message_id ?? "0");
  state.loaded = true;
  return ["state", "channels", "members", "users", "unread", "messages", "selection"];
}

function addGuild(state, guild) {
  const members = new Map();
  for (const member of guild.members ?? []) {
    members.set(member.user.id, { nick: member.nick ?? null, roles: member.roles ?? [] });
    if (!state.users.has(member.user.id)) state.users.set(member.user.id, member.user);
  }
  state.guilds.set(guild.id, { ...guild, members, roles: guild.roles ?? [] });
  for (const channel of [...(guild.channels ?? []), ...(guild.threads ?? [])])
    addChannel(state, { guild_id: guild.id, ...channel });
}

function addChannel(state, channel) {
  state.channels.set(channel.id, { ...state.channels.get(channel.id), ...channel });
  if (!state.read.has(channel.id)) state.read.set(channel.id, channel.last_message_id ?? "0");
}

/** One event of `/sim/events`. Unknown events are none of the page's business and change nothing. */
export function reduce(state, event, data, now = Date.now()) {
  return REDUCERS[event]?.(state, data, now) ?? [];
}

const REDUCERS = {
  message_create: (state, message) => {
    const topics = ["messages"];
    takePending(state, message);
    const conversation = state.conversations.get(message.channel_id);
    if (conversation?.atEnd) {
      conversation.messages = mergeMessages(conversation.messages, [message]);
      if (message.channel_id !== state.selected && conversation.messages.length > WINDOW) trim(conversation);
    }
    if (state.typing.get(message.channel_id)?.delete(message.author.id)) topics.push("typing");
    const channel = state.channels.get(message.channel_id);
    const ephemeral = Boolean(message.ephemeral_for); // stands in the channel for one person and never counts as its last
    const newest = !channel?.last_message_id || compareIds(message.id, channel.last_message_id) > 0;
    if (channel && newest && !ephemeral) {
      state.channels.set(channel.id, { ...channel, last_message_id: message.id });
      topics.push("unread");
      if (message.author.id === state.speaker) state.read.set(channel.id, message.id);
      else if (mentionsUser(state, message, state.speaker, channel.guild_id))
        state.mentions.set(channel.id, (state.mentions.get(channel.id) ?? 0) + 1);
    }
    return topics;
  },
  message_update: (state, message) =>
    replaceMessage(state, message.channel_id, message.id, (old) => ({
      ...old,
      ...message,
      reactions: message.reactions ?? old.reactions,
    })),
  message_delete: (state, { id, channel_id: channelId }) => {
    const conversation = state.conversations.get(channelId);
    if (conversation)
      conversation.messages = conversation.messages
        .filter((message) => message.id !== id)
        .map((message) => forgetReference(message, id));
    if (state.editing === id) state.editing = null;
    if (state.replyTo === id) state.replyTo = null;
    return ["messages", "composer"];
  },
  reaction_add: (state, data) => changeReaction(state, data, true),
  reaction_remove: (state, data) => changeReaction(state, data, false),
  typing_start: (state, { channel_id: channelId, user_id: userId }, now) => {
    if (!state.typing.has(channelId)) state.typing.set(channelId, new Map());
    state.typing.get(channelId).set(userId, now + TYPING_MS);
    return ["typing"];
  },
  channel_create: (state, channel) => (addChannel(state, channel), ["channels"]),
  channel_update: (state, channel) => (addChannel(state, channel), ["channels"]),
  thread_create: (state, channel) => (addChannel(state, channel), ["channels", "messages"]),
  thread_update: (state, channel) => (addChannel(state, channel), ["channels", "messages"]),
  channel_delete: (state, { id }) => (
    state.channels.delete(id),
    state.conversations.delete(id),
    ["channels", "selection"]
  ),
  guild_create: (state, guild) => (addGuild(state, guild), ["channels", "members"]),
  guild_update: (state, guild) => (addGuild(state, guild), ["channels", "members"]),
  guild_delete: (state, { id }) => {
    state.guilds.delete(id);
    for (const channel of state.channels.values()) if (channel.guild_id === id) state.channels.delete(channel.id);
    return ["channels", "selection"];
  },
  user_create: (state, user) => (state.users.set(user.id, user), ["users", "members"]),
  member_add: setMember,
  member_update: setMember,
  member_remove: (state, data) => {
    state.guilds.get(data.guild_id)?.members.delete(data.user_id ?? data.user?.id);
    return ["members"];
  },
  presence: (state, { user_id: userId, online }) => {
    if (online) state.online.add(userId);
    else state.online.delete(userId);
    return ["members", "channels"];
  },
};

function setMember(state, data) {
  state.users.set(data.user.id, data.user);
  state.guilds.get(data.guild_id)?.members.set(data.user.id, { nick: data.nick ?? null, roles: data.roles ?? [] });
  return ["members", "users"];
}

function replaceMessage(state, channelId, messageId, build) {
  const conversation = state.conversations.get(channelId);
  if (!conversation) return [];
  conversation.messages = conversation.messages.map((message) => {
    if (message.id === messageId) return build(message);
    return message.referenced_message?.id === messageId
      ? { ...message, referenced_message: build(message.referenced_message) }
      : message;
  });
  return ["messages"];
}

function forgetReference(message, id) {
  return message.message_reference?.message_id === id ? { ...message, referenced_message: null } : message;
}

function changeReaction(state, { channel_id: channelId, message_id: messageId, user_id: userId, emoji }, on) {
  return replaceMessage(state, channelId, messageId, (message) => ({
    ...message,
    reactions: withReaction(message.reactions ?? [], emoji, userId, on),
  }));
}

/** Reactions after one person's was set or taken away; doing it twice changes nothing. */
export function withReaction(reactions, emoji, userId, on) {
  const index = reactions.findIndex((reaction) => sameEmoji(reaction.emoji, emoji));
  if (index < 0) return on ? [...reactions, { emoji, count: 1, users: [userId] }] : reactions;
  const old = reactions[index].users ?? [];
  const users = on ? [...new Set([...old, userId])] : old.filter((id) => id !== userId);
  const changed = { ...reactions[index], users, count: users.length };
  return users.length ? reactions.with(index, changed) : reactions.toSpliced(index, 1);
}

/** Two lists of messages as one, oldest first, the newer version of each. */
export function mergeMessages(known, added) {
  const last = known.at(-1);
  if (added.length === 1 && (!last || compareIds(added[0].id, last.id) > 0)) return [...known, added[0]]; // nearly always
  const byId = new Map(known.map((message) => [message.id, message]));
  for (const message of added) byId.set(message.id, message);
  return [...byId.values()].sort((a, b) => compareIds(a.id, b.id));
}

function trim(conversation) {
  conversation.messages = conversation.messages.slice(-WINDOW);
  conversation.atStart = false;
}

/** Forget what scrolled far out of sight above; the timeline calls it while it follows the present. */
export function trimConversation(state, channelId) {
  const conversation = state.conversations.get(channelId);
  if (!conversation?.atEnd || conversation.messages.length <= WINDOW * 1.5) return [];
  trim(conversation);
  return ["messages"];
}

/** Takes one page of history. `range` says which: {} the newest, {before}, {after} or {around}. */
export function addPage(state, channelId, range, page, limit) {
  const messages = page.toSorted((a, b) => compareIds(a.id, b.id));
  const full = page.length >= limit;
  const old = state.conversations.get(channelId);
  if (range.before && old)
    state.conversations.set(channelId, {
      ...old,
      messages: mergeMessages(old.messages, messages),
      atStart: !full,
      loading: false,
    });
  else if (range.after && old)
    state.conversations.set(channelId, {
      ...old,
      messages: mergeMessages(old.messages, messages),
      atEnd: !full,
      loading: false,
    });
  else if (range.around) state.conversations.set(channelId, { messages, atStart: false, atEnd: false, loading: false });
  else state.conversations.set(channelId, { messages, atStart: !full, atEnd: true, loading: false });
  return ["messages"];
}

export function selectChannel(state, channelId) {
  const channel = state.channels.get(channelId);
  if (!channel || !isReadable(channel)) return [];
  state.selected = channelId;
  state.guild = channel.guild_id ?? null;
  state.replyTo = null;
  state.editing = null;
  const read = state.read.get(channelId) ?? "0";
  state.unreadFrom = channel.last_message_id && compareIds(channel.last_message_id, read) > 0 ? read : null;
  markRead(state, channelId);
  return ["selection", "messages", "channels", "members", "typing", "composer", "unread"];
}

export function markRead(state, channelId) {
  const last = state.channels.get(channelId)?.last_message_id;
  if (last) state.read.set(channelId, last);
  state.mentions.delete(channelId);
  return ["unread"];
}

export function addPending(state, message) {
  state.pending.set(message.channel_id, [...(state.pending.get(message.channel_id) ?? []), message]);
  return ["messages"];
}

export function failPending(state, channelId, nonce, error) {
  const list = state.pending.get(channelId) ?? [];
  state.pending.set(
    channelId,
    list.map((message) =>
      message.nonce === nonce ? { ...message, pending: error ? "failed" : "sending", error } : message,
    ),
  );
  return ["messages"];
}

export function dropPending(state, channelId, nonce) {
  state.pending.set(
    channelId,
    (state.pending.get(channelId) ?? []).filter((message) => message.nonce !== nonce),
  );
  return ["messages"];
}

function takePending(state, message) {
  if (message.nonce !== undefined && message.nonce !== null && state.pending.has(message.channel_id))
    dropPending(state, message.channel_id, String(message.nonce));
}

/** Names whose typing has not run out, without the speaker. */
export function typingUsers(state, channelId, now = Date.now()) {
  const entries = [...(state.typing.get(channelId) ?? [])];
  return entries.filter(([userId, end]) => end > now && userId !== state.speaker).map(([userId]) => userId);
}

/** Forgets typing that ran out; returns the milliseconds until the next does, or null. */
export function expireTyping(state, now = Date.now()) {
  let next = null;
  for (const users of state.typing.values()) {
    for (const [userId, end] of users) {
      if (end <= now) users.delete(userId);
      else next = Math.min(next ?? Infinity, end - now);
    }
  }
  return next;
}
