/**
 * Where the parts meet: the store, the actions, the event stream and everything that draws. The `page` object made
 * here is what rendering code gets to reach the rest.
 */

import "./theme.js";
import { Actions } from "./actions.js";
import { api } from "./api.js";
import { recall, remember } from "./memory.js";
import { authorName, guildOf, isDm, isThread } from "./model.js";
import { Composer } from "./render/composer.js";
import { ask, askModal, confirm, showHelp, showImage, showSwitcher } from "./render/dialogs.js";
import { h } from "./render/dom.js";
import { icon, mark } from "./render/icons.js";
import { mountMembers } from "./render/members.js";
import { spoken } from "./render/message.js";
import { avatar } from "./render/people.js";
import { openEmojiPicker, openMenu, openProfile } from "./render/popovers.js";
import { mountSidebar } from "./render/sidebar.js";
import { rememberFocus, Timeline } from "./render/timeline.js";
import { mountToasts } from "./render/toasts.js";
import { mountShortcuts } from "./shortcuts.js";
import { EventStream } from "./sse.js";
import { reduce, Store } from "./store.js";
import { onTheme, toggleTheme } from "./theme.js";

const $ = (id) => document.getElementById(id);
const ANNOUNCED = 20;

const schedule = (run) => (document.hidden ? setTimeout(run, 50) : requestAnimationFrame(run));
const store = new Store(undefined, schedule);
const toast = mountToasts($("toasts"));
const actions = new Actions(store, toast);

const page = {
  store,
  actions,
  get state() {
    return store.state;
  },
  channel: () => store.state.channels.get(store.state.selected),
  context: () => ({
    state: store.state,
    guildId: guildOf(store.state, store.state.selected),
    openChannel: (id) => actions.openChannel(id),
  }),
  focusComposer: () => page.composer.focus(),
  jumpTo: (id) => page.timeline.jumpTo(id),
  showImage,
  showHelp,
  showSwitcher: () => showSwitcher(page),
  toggleTheme,
  pickEmoji: openEmojiPicker,
  pickReaction: (message, anchor) =>
    openEmojiPicker(anchor, (char) => actions.toggleReaction(message, { id: null, name: char })),
  showProfile: (user, anchor) => openProfile(anchor, user, { state: store.state, actions: { ...page.profileActions } }),
  profileActions: {
    openDm: (id) => page.openDm(id),
    speakAs: (id) => actions.speakAs(id),
    mention: (user) => (closeDrawers(), page.composer.insert(`@${user.username} `)),
  },
  closeDrawers: () => closeDrawers(),

  async goTo(channelId) {
    const drawer = Boolean(document.body.dataset.drawer);
    closeDrawers();
    await actions.openChannel(channelId);
    if (drawer) page.focusComposer();
  },
  async openDm(botId) {
    closeDrawers();
    await actions.openDm(botId);
  },
  editLastOwn() {
    const messages = store.state.conversations.get(store.state.selected)?.messages ?? [];
    const mine = messages.findLast(
      (message) =>
        message.author.id === store.state.speaker && !message.webhook_id && (message.type === 0 || message.type === 19),
    );
    if (mine) actions.startEdit(mine.id);
  },
  async copyText(text) {
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.", "note");
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
      toast("The browser does not let this page copy. Select the text instead.");
    }
  },
  async askDelete(message) {
    const text = spoken(message, store.state, guildOf(store.state, message.channel_id)).slice(0, 200);
    if (await confirm({ title: "Delete this message?", text, action: "Delete" })) await actions.remove(message);
    page.focusComposer();
  },
  async askThread(message) {
    const answer = await ask({
      title: "Start a thread",
      confirm: "Start",
      fields: [{ name: "name", label: "Name of the thread", required: true, maxLength: 100 }],
    });
    if (answer) await actions.startThread(message.channel_id, answer.name, message.id);
  },
  async askChannel(guildId, parentId) {
    const hint = "Small letters, digits, - and _";
    const answer = await ask({
      title: "New channel",
      confirm: "Make it",
      fields: [
        { name: "name", label: "Name", required: true, maxLength: 100, pattern: "[\\p{Ll}\\p{Lo}\\p{N}_\\-]+", hint },
      ],
    });
    if (answer) await actions.addChannel(guildId, answer.name, parentId);
  },
  async askUser() {
    const answer = await ask({
      title: "New person",
      confirm: "Make them",
      fields: [
        {
          name: "username",
          label: "Username",
          required: true,
          minLength: 2,
          maxLength: 32,
          pattern: "[a-z0-9_.]+",
          hint: "Small letters, digits, _ and .",
        },
        { name: "name", label: "Name shown", maxLength: 32 },
      ],
    });
    if (answer) await actions.addUser(answer.username, answer.name || undefined);
  },
  showSpeakers(anchor) {
    const { state } = store;
    const humans = [...state.users.values()].filter((user) => !user.bot);
    openMenu(anchor, "Speak as", [
      ...humans.map((user) => ({
        label: user.global_name || user.username,
        detail: `@${user.username}`,
        face: avatar(user, 24),
        current: user.id === state.speaker,
        run: () => actions.speakAs(user.id),
      })),
      null,
      { label: "New person…", face: icon("plus", 20), run: () => page.askUser() },
    ]);
  },
};

function closeDrawers() {
  delete document.body.dataset.drawer;
  for (const id of ["open-sidebar", "toggle-members"])
    if (innerWidth <= 900) $(id).setAttribute("aria-expanded", "false");
}

function toggleDrawer(name, button) {
  const opening = document.body.dataset.drawer !== name;
  closeDrawers();
  if (!opening) return;
  document.body.dataset.drawer = name;
  button.setAttribute("aria-expanded", "true");
  (name === "sidebar" ? $("channels") : $("members")).querySelector('[tabindex="0"]')?.focus();
}

function mountFrame() {
  $("brand").prepend(mark(22));
  const buttons = {
    "open-sidebar": "menu",
    "open-switcher": "search",
    "toggle-members": "members",
    "toggle-theme": "moon",
    "open-help": "help",
    attach: "attach",
    emoji: "smile",
    send: "send",
    "present-icon": "arrowDown",
  };
  for (const [id, name] of Object.entries(buttons)) $(id).append(icon(name, id === "present-icon" ? 16 : 20));
  onTheme((name) => {
    $("toggle-theme").replaceChildren(icon(name === "dark" ? "sun" : "moon"));
    $("toggle-theme").setAttribute("aria-label", name === "dark" ? "Light colours" : "Dark colours");
  });
  $("toggle-theme").addEventListener("click", toggleTheme);
  $("open-help").addEventListener("click", showHelp);
  $("open-switcher").addEventListener("click", () => page.showSwitcher());
  $("open-sidebar").addEventListener("click", (event) => toggleDrawer("sidebar", event.currentTarget));
  $("toggle-members").addEventListener("click", (event) => {
    if (innerWidth <= 900) return toggleDrawer("members", event.currentTarget);
    const hidden = document.body.classList.toggle("no-members");
    remember("members", hidden ? "hidden" : "shown");
    return event.currentTarget.setAttribute("aria-expanded", String(!hidden));
  });
  document.body.classList.toggle("no-members", recall("members") === "hidden");
  $("toggle-members").setAttribute("aria-expanded", String(innerWidth > 900 && recall("members") !== "hidden"));
  $("shade").addEventListener("click", closeDrawers);
  $("retry").addEventListener("click", () => stream.retryNow());
  addEventListener("online", () => stream.retryNow());
}

function drawHeader() {
  const { state } = store;
  const channel = page.channel();
  const title = actions.title(state.selected);
  const unread = [...state.mentions.values()].reduce((sum, count) => sum + count, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${channel ? `${isDm(channel) ? "@" : "#"}${title} · ` : ""}Botswain Simulator`;
  $("channel-sign").replaceChildren(
    channel ? icon(isDm(channel) ? "at" : isThread(channel) ? "thread" : "hash", 22) : "",
  );
  $("channel-title").textContent = title || "No channel";
  $("channel-topic").textContent = topicOf(channel);
  $("list").setAttribute("aria-label", title ? `Messages in ${title}` : "Messages");
}

function topicOf(channel) {
  if (!channel) return "";
  if (isThread(channel)) return `in #${actions.title(channel.parent_id)}`;
  return channel.topic ?? "";
}

function drawConnection() {
  const { connection, loaded } = store.state;
  $("connection").hidden = connection !== "lost";
  document.body.dataset.connection = connection;
  $("loading").hidden = loaded;
}

/** Reads out what others write in the channel one looks at. */
function announce(message) {
  const { state } = store;
  if (message.channel_id !== state.selected || message.author.id === state.speaker) return;
  const guildId = guildOf(state, message.channel_id);
  $("announcer").append(h("p", {}, `${authorName(state, message, guildId)}: ${spoken(message, state, guildId)}`));
  while ($("announcer").children.length > ANNOUNCED) $("announcer").firstChild.remove();
}

async function onInteraction(update) {
  if (update.user_id !== store.state.speaker) return;
  if (update.state === "failed") toast("The bot did not answer within 3 seconds.");
  if (update.state !== "modal" || !update.response) return;
  const values = await askModal(update.response);
  if (values) await actions.submitForm(update, values);
}

function onEvent(name, data) {
  if (name === "resync") return void actions.reload();
  if (name === "interaction_update") return void onInteraction(data);
  if (name === "commands_update") return void actions.commands.clear();
  actions.history.record(name, data);
  store.change((state) => reduce(state, name, data));
  if (store.state.selected && !page.channel()) actions.openFirst(null);
  if (name === "message_create") announce(data);
  if (
    name === "message_create" &&
    data.channel_id === store.state.selected &&
    page.timeline.following &&
    !document.hidden
  )
    actions.markRead();
  return undefined;
}

const stream = new EventStream(api.eventsUrl, {
  onEvent,
  onState: (connection) => {
    store.change((state) => ((state.connection = connection), ["connection"]));
    if (connection === "open") actions.reload();
  },
});

store.state.speaker = recall("speaker");
store.subscribe(["connection", "state"], drawConnection);
store.subscribe(["selection", "state", "channels", "unread", "users"], drawHeader);
mountFrame();
mountSidebar(page, { rail: $("rail"), channels: $("channels"), heading: $("guild-name"), speaker: $("speaker") });
mountMembers(page, $("members"));
page.timeline = new Timeline(page, {
  scroller: $("scroller"),
  list: $("list"),
  opening: $("opening"),
  present: $("present"),
});
page.composer = new Composer(page, {
  form: $("composer"),
  area: $("box"),
  tray: $("tray"),
  context: $("context"),
  typing: $("typing"),
  counter: $("counter"),
  picker: $("picker"),
  attach: $("attach"),
  emoji: $("emoji"),
  drop: $("drop"),
  list: $("suggestions"),
  hint: $("hint"),
});
rememberFocus($("list"));
mountShortcuts(page);
stream.run();
