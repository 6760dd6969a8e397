/**
 * What a person can do: each action asks the simulator through `api`, changes the store, and tells failures as
 * toasts. Rendering calls these and nothing else.
 */

import { api, ApiError } from "./api.js";
import { parseCommand, OptionType } from "./commands.js";
import { encode } from "./composing.js";
import { History } from "./history.js";
import { remember, recall } from "./memory.js";
import { channelOrder, channelTitle, dmsOf, guildOf, isDm, isReadable, reactedBy, sameEmoji } from "./model.js";
import * as change from "./store.js";

const TYPING_EVERY_MS = 8_000;

export class Actions {
  #typedAt = new Map();
  #counter = 0;
  commands = new Map(); // channel id -> commands, forgotten on reconnect

  /** @param {(sentence: string) => void} toast */
  constructor(store, toast) {
    this.store = store;
    this.toast = toast;
    this.history = new History(store, (work) => this.attempt(work));
  }

  get state() {
    return this.store.state;
  }

  /** Runs an API call; a failure is told and gives undefined. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.toast(error.message);
      return undefined;
    }
  }

  /** (Re)loads everything the page shows. After a reconnect nothing that was missed stays missing. */
  async reload() {
    if (!(await this.history.load(() => api.state(), change.loadState))) return;
    this.commands.clear();
    const state = this.state;
    for (const id of [...state.conversations.keys()]) if (id !== state.selected) state.conversations.delete(id);
    if (state.selected && state.channels.has(state.selected)) await this.history.loadLatest(state.selected);
    else this.openFirst(recall("channel"));
  }

  openFirst(wanted) {
    const state = this.state;
    if (wanted && state.channels.has(wanted) && isReadable(state.channels.get(wanted))) return this.openChannel(wanted);
    const guildId = [...state.guilds.keys()][0] ?? null;
    const first = channelOrder(state, guildId)[0] ?? dmsOf(state, state.speaker)[0]?.id;
    if (first) return this.openChannel(first);
    return this.store.change(
      (current) => ((current.selected = null), (current.guild = guildId), ["selection", "channels", "messages"]),
    );
  }

  async openChannel(channelId) {
    const previous = this.state.selected;
    if (previous && previous !== channelId)
      this.store.change((state) => (change.trimConversation(state, previous), []));
    this.store.change((state) => change.selectChannel(state, channelId));
    remember("channel", channelId);
    const known = this.state.conversations.get(channelId);
    if (!known?.atEnd) await this.history.loadLatest(channelId);
  }

  openGuild(guildId) {
    const state = this.state;
    const last = recall(`channel.${guildId ?? "dm"}`);
    const order = channelOrder(state, guildId);
    const target = order.includes(last) ? last : order[0];
    if (target) return this.openChannel(target);
    return this.store.change(
      (current) => (
        (current.guild = guildId),
        (current.selected = null),
        ["selection", "channels", "messages", "members", "composer"]
      ),
    );
  }

  /** Alt+Up and Alt+Down. */
  stepChannel(step, unreadOnly = false) {
    const state = this.state;
    const order = channelOrder(state, state.guild);
    const at = order.indexOf(state.selected);
    for (let offset = 1; offset <= order.length; offset += 1) {
      const id = order[(at + step * offset + order.length * offset) % order.length];
      const mark = state.read.get(id);
      const last = state.channels.get(id)?.last_message_id;
      if (!unreadOnly || (last && mark && last !== mark)) return this.openChannel(id);
    }
    return undefined;
  }

  markRead() {
    const { selected } = this.state;
    if (selected) this.store.change((state) => change.markRead(state, selected));
  }

  /** The names that the box may translate into mentions, for the selected channel. */
  names(channelId = this.state.selected) {
    const state = this.state;
    const guild = state.guilds.get(guildOf(state, channelId));
    const ids = guild
      ? [...guild.members.keys()]
      : (state.channels.get(channelId)?.recipients ?? []).map((user) => user.id);
    return {
      users: ids
        .map((id) => state.users.get(id))
        .filter(Boolean)
        .map((user) => ({ ...user, nick: guild?.members.get(user.id)?.nick ?? null })),
      channels: guild
        ? [...state.channels.values()].filter((channel) => channel.guild_id === guild.id && isReadable(channel))
        : [],
      roles: guild?.roles ?? [],
      emojis: guild?.emojis ?? [],
    };
  }

  /** Shows the message at once and sends it; a failed one stays, with its reason, to be tried again. */
  send(text, files = []) {
    const { selected, speaker, replyTo } = this.state;
    const nonce = `page-${Date.now().toString(36)}-${(this.#counter += 1).toString(36)}`;
    const replied = replyTo
      ? this.state.conversations.get(selected)?.messages.find((message) => message.id === replyTo)
      : null;
    const message = {
      id: nonce,
      nonce,
      channel_id: selected,
      author: this.state.users.get(speaker),
      content: encode(text, this.names()),
      timestamp: new Date().toISOString(),
      type: replied ? 19 : 0,
      message_reference: replied ? { message_id: replyTo, channel_id: selected } : undefined,
      referenced_message: replied,
      attachments: [],
      embeds: [],
      reactions: [],
      pending: "sending",
      files,
      replyTo,
    };
    this.store.change((state) => ((state.replyTo = null), [...change.addPending(state, message), "composer", "sent"]));
    this.#typedAt.delete(selected);
    return this.#deliver(message);
  }

  retry(message) {
    this.store.change((state) => change.failPending(state, message.channel_id, message.nonce, null));
    return this.#deliver(message);
  }

  discard(message) {
    this.store.change((state) => change.dropPending(state, message.channel_id, message.nonce));
  }

  async #deliver(message) {
    const { channel_id: channelId, nonce } = message;
    try {
      const sent = await api.send(channelId, {
        userId: message.author.id,
        content: message.content,
        replyTo: message.replyTo,
        nonce,
        files: message.files,
      });
      this.store.change((state) => [...change.dropPending(state, channelId, nonce), ...this.#takeSent(state, sent)]);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.store.change((state) => change.failPending(state, channelId, nonce, error.message));
      this.toast(error.message);
    }
  }

  /**
   * The answer to a send, unless the event stream, which is often quicker, has brought it (and perhaps its reactions)
   * already.
   */
  #takeSent(state, sent) {
    const conversation = state.conversations.get(sent.channel_id);
    if (!conversation?.atEnd || conversation.messages.some((message) => message.id === sent.id)) return [];
    return change.reduce(state, "message_create", sent);
  }

  async edit(message, text) {
    this.store.change((state) => ((state.editing = null), ["messages", "composer"]));
    const content = encode(text, this.names(message.channel_id));
    if (content === message.content) return;
    await this.attempt(() => api.edit(message.channel_id, message.id, content));
  }

  remove(message) {
    return this.attempt(() => api.remove(message.channel_id, message.id));
  }

  startEdit(messageId) {
    this.store.change((state) => ((state.editing = messageId), ["messages", "editing"]));
  }

  /** Esc: leaves the edit first, then the reply. */
  cancel() {
    this.store.change((state) => {
      if (state.editing) state.editing = null;
      else state.replyTo = null;
      return ["messages", "composer"];
    });
  }

  reply(messageId) {
    this.store.change(
      (state) => ((state.replyTo = messageId), (state.editing = null), ["composer", "messages", "focus-composer"]),
    );
  }

  async toggleReaction(message, emoji) {
    const { speaker } = this.state;
    const reaction = (message.reactions ?? []).find((candidate) => sameEmoji(candidate.emoji, emoji));
    const on = !(reaction && reactedBy(reaction, speaker));
    await this.attempt(() => api.react(message.channel_id, message.id, emoji, speaker, on));
  }

  /** Says "is typing" at most every 8 s, as clients do. It is no loss when that fails. */
  async typed() {
    const { selected, speaker } = this.state;
    if (Date.now() - (this.#typedAt.get(selected) ?? 0) < TYPING_EVERY_MS) return;
    this.#typedAt.set(selected, Date.now());
    try {
      await api.typing(selected, speaker);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  speakAs(userId) {
    remember("speaker", userId);
    this.store.change((state) => {
      state.speaker = userId;
      state.editing = null;
      return ["selection", "messages", "channels", "members", "composer", "typing", "users"];
    });
    const { selected } = this.state;
    const channel = this.state.channels.get(selected);
    if (channel && isDm(channel) && !dmsOf(this.state, userId).some((dm) => dm.id === selected)) this.openFirst(null);
  }

  async addUser(username, globalName) {
    const user = await this.attempt(() => api.createUser(username, globalName));
    if (!user) return;
    this.store.change((state) => change.reduce(state, "user_create", user));
    const { guild } = this.state;
    if (guild) await this.attempt(() => api.addMember(guild, user.id));
    this.speakAs(user.id);
  }

  async addChannel(guildId, name, parentId) {
    const channel = await this.attempt(() => api.createChannel(guildId, name, parentId));
    if (!channel) return;
    this.store.change((state) => change.reduce(state, "channel_create", { guild_id: guildId, ...channel }));
    await this.openChannel(channel.id);
  }

  async startThread(channelId, name, messageId) {
    const thread = await this.attempt(() => api.createThread(channelId, name, messageId, this.state.speaker));
    if (!thread) return;
    this.store.change((state) =>
      change.reduce(state, "thread_create", { guild_id: guildOf(state, channelId), parent_id: channelId, ...thread }),
    );
    await this.openChannel(thread.id);
  }

  async openDm(botId) {
    const channel = await this.attempt(() => api.openDm(this.state.speaker, botId));
    if (!channel) return;
    this.store.change((state) => change.reduce(state, "channel_create", channel));
    await this.openChannel(channel.id);
  }

  async loadCommands(channelId) {
    if (!this.commands.has(channelId))
      this.commands.set(channelId, (await this.attempt(() => api.commands(channelId))) ?? []);
    return this.commands.get(channelId);
  }

  /** Runs a command line. @returns false when it could not even be read, so that the box keeps it */
  async runCommand(text, entries) {
    const { selected, speaker } = this.state;
    const parsed = parseCommand(text, entries, (type, name) => this.#resolve(type, name));
    if (parsed.error) {
      this.toast(parsed.error);
      return false;
    }
    const interaction = {
      kind: "command",
      command_id: parsed.command.id,
      channel_id: selected,
      user_id: speaker,
      options: parsed.options,
    };
    return (await this.attempt(() => api.interact(interaction))) !== undefined;
  }

  /** Asks the bot to complete an option. @returns its choices, `[{name, value}]` */
  async complete({ command, options }) {
    const { selected, speaker } = this.state;
    const question = { kind: "autocomplete", command_id: command.id, channel_id: selected, user_id: speaker, options };
    return (await this.attempt(() => api.interact(question)))?.response?.choices ?? [];
  }

  /** Presses a button or picks from a menu. */
  async component(message, customId, values) {
    const interaction = {
      kind: "component",
      message_id: message.id,
      channel_id: message.channel_id,
      custom_id: customId,
      user_id: this.state.speaker,
    };
    return this.attempt(() => api.interact(values ? { ...interaction, values } : interaction));
  }

  /** Sends the form a bot answered interaction `opened` with. @param values `{custom_id: text}` */
  submitForm(opened, values) {
    return this.attempt(() =>
      api.interact({
        kind: "modal",
        interaction_id: opened.id,
        channel_id: opened.channel_id,
        user_id: this.state.speaker,
        values,
      }),
    );
  }

  #resolve(type, text) {
    const id = /^<(?:@!?|@&|#)(\d+)>$/.exec(text)?.[1] ?? (/^\d{15,20}$/.test(text) ? text : null);
    if (id) return id;
    const name = text.replace(/^[@#]/, "").toLowerCase();
    const names = this.names();
    const user = () =>
      names.users.find((candidate) =>
        [candidate.username, candidate.global_name, candidate.nick].some((word) => word?.toLowerCase() === name),
      )?.id;
    const role = () => names.roles.find((candidate) => candidate.name.replace(/^@/, "").toLowerCase() === name)?.id;
    const channel = () => names.channels.find((candidate) => candidate.name.toLowerCase() === name)?.id;
    const found =
      {
        [OptionType.USER]: [user],
        [OptionType.ROLE]: [role],
        [OptionType.CHANNEL]: [channel],
        [OptionType.MENTIONABLE]: [user, role],
      }[type] ?? [];
    return found.map((look) => look()).find(Boolean) ?? null;
  }

  title(channelId) {
    return channelTitle(this.state, this.state.channels.get(channelId));
  }
}
