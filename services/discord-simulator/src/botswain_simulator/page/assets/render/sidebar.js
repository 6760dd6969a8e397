/**
 * The left side: the rail of guilds, the channels of the chosen one (or the direct messages), and who one speaks as.
 */

import { initials } from "../format.js";
import { ChannelType, channelTitle, channelTree, dmPartners, dmsOf, isUnread, userName } from "../model.js";
import { ensureStop, h, redraw, rovingFocus, safeUrl } from "./dom.js";
import { icon, mark } from "./icons.js";
import { avatar, botTag } from "./people.js";

export function mountSidebar(page, { rail, channels, heading, speaker }) {
  rovingFocus(rail, ".rail-item");
  rovingFocus(channels, ".channel");
  page.store.subscribe(["state", "selection", "channels", "unread", "users", "members"], () => {
    drawRail(page, rail);
    drawChannels(page, channels, heading);
    drawSpeaker(page, speaker);
  });
}

function drawRail(page, rail) {
  const { state } = page;
  const entry = (id, label, face, channels) => {
    const mentions = channels.reduce((sum, channel) => sum + (state.mentions.get(channel.id) ?? 0), 0);
    const unread = channels.some((channel) => isUnread(state, channel));
    const current = state.guild === id && (id !== null || Boolean(state.selected));
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: `rail-item${unread ? " unread" : ""}`,
          "aria-current": current ? "page" : null,
          "aria-label": label + (mentions ? `, ${mentions} mentions` : unread ? ", unread" : ""),
          title: label,
          dataset: { focus: `rail-${id}` },
          on: { click: () => page.actions.openGuild(id) },
        },
        face,
        mentions ? h("span", { class: "badge", "aria-hidden": "true" }, String(mentions)) : null,
      ),
    );
  };
  const guilds = [...state.guilds.values()];
  redraw(
    rail,
    entry(null, "Direct messages", mark(28), dmsOf(state, state.speaker)),
    h("li", { class: "rail-line", role: "presentation" }),
    guilds.map((guild) =>
      entry(
        guild.id,
        guild.name,
        guildFace(guild),
        [...state.channels.values()].filter((channel) => channel.guild_id === guild.id),
      ),
    ),
  );
  ensureStop(rail, ".rail-item");
}

function guildFace(guild) {
  const url = safeUrl(guild.icon_url);
  const letters = h("span", { class: "guild-letters" }, initials(guild.name));
  if (!url) return letters;
  const image = h("img", { src: url, alt: "", width: 46, height: 46 });
  image.addEventListener("error", () => image.replaceWith(letters), { once: true });
  return image;
}

function drawChannels(page, nav, heading) {
  const { state } = page;
  const guild = state.guilds.get(state.guild);
  heading.textContent = guild ? guild.name : "Direct messages";
  nav.setAttribute("aria-label", guild ? `Channels of ${guild.name}` : "Direct messages");
  redraw(nav, guild ? guildChannels(page, guild) : dmList(page));
  ensureStop(nav, ".channel");
}

function guildChannels(page, guild) {
  const groups = channelTree(page.state, guild.id);
  const title = (group) =>
    h(
      "div",
      { class: "category" },
      h("h3", {}, group.category?.name ?? "Channels"),
      h(
        "button",
        {
          type: "button",
          class: "icon-button small",
          "aria-label": `New channel in ${group.category?.name ?? guild.name}`,
          title: "New channel",
          dataset: { focus: `new-${group.category?.id ?? "none"}` },
          on: { click: () => page.askChannel(guild.id, group.category?.id ?? null) },
        },
        icon("plus", 16),
      ),
    );
  return groups.map((group) => [
    title(group),
    h(
      "ul",
      { class: "channel-list" },
      group.channels.map(({ channel, threads }) =>
        h(
          "li",
          {},
          channelButton(page, channel),
          threads.length
            ? h(
                "ul",
                { class: "threads" },
                threads.map((thread) => h("li", {}, channelButton(page, thread))),
              )
            : null,
        ),
      ),
    ),
  ]);
}

const SIGNS = {
  [ChannelType.PUBLIC_THREAD]: "thread",
  [ChannelType.PRIVATE_THREAD]: "thread",
  [ChannelType.NEWS_THREAD]: "thread",
};

function channelButton(page, channel) {
  const { state } = page;
  const unread = isUnread(state, channel);
  const mentions = state.mentions.get(channel.id) ?? 0;
  const title = channelTitle(state, channel);
  return h(
    "button",
    {
      type: "button",
      class: `channel${unread ? " unread" : ""}`,
      "aria-current": channel.id === state.selected ? "page" : null,
      "aria-label": title + (mentions ? `, ${mentions} mentions` : unread ? ", unread" : ""),
      dataset: { focus: channel.id, channel: channel.id },
      on: { click: () => page.goTo(channel.id) },
    },
    icon(SIGNS[channel.type] ?? "hash", 18),
    h("span", { class: "channel-name" }, title),
    mentions ? h("span", { class: "badge", "aria-hidden": "true" }, String(mentions)) : null,
  );
}

function dmList(page) {
  const { state } = page;
  const dms = dmsOf(state, state.speaker);
  const talking = new Set(dms.flatMap((channel) => dmPartners(state, channel).map((user) => user.id)));
  const silent = [...state.bots.keys()].filter((id) => !talking.has(id)).map((id) => state.users.get(id));
  return [
    dms.length
      ? h(
          "ul",
          { class: "channel-list" },
          dms.map((channel) => h("li", {}, dmButton(page, channel))),
        )
      : h("p", { class: "side-note" }, `${userName(state.users.get(state.speaker))} has no direct messages yet.`),
    silent.length ? h("div", { class: "category" }, h("h3", {}, "Write to a bot")) : null,
    h(
      "ul",
      { class: "channel-list" },
      silent.map((user) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "channel dm",
              dataset: { focus: `dm-${user.id}` },
              on: { click: () => page.openDm(user.id) },
            },
            avatar(user, 24),
            h("span", { class: "channel-name" }, userName(user)),
            botTag(),
          ),
        ),
      ),
    ),
  ];
}

function dmButton(page, channel) {
  const { state } = page;
  const [partner] = dmPartners(state, channel);
  const unread = isUnread(state, channel);
  return h(
    "button",
    {
      type: "button",
      class: `channel dm${unread ? " unread" : ""}`,
      "aria-current": channel.id === state.selected ? "page" : null,
      "aria-label": channelTitle(state, channel) + (unread ? ", unread" : ""),
      dataset: { focus: channel.id, channel: channel.id },
      on: { click: () => page.goTo(channel.id) },
    },
    avatar(partner, 24),
    h("span", { class: "channel-name" }, channelTitle(state, channel)),
    unread ? h("span", { class: "badge", "aria-hidden": "true" }, "•") : null,
  );
}

function drawSpeaker(page, box) {
  const user = page.state.users.get(page.state.speaker);
  if (!user) return;
  redraw(
    box,
    h(
      "button",
      {
        type: "button",
        class: "speaker",
        "aria-haspopup": "menu",
        "aria-label": `You speak as ${userName(user)}. Change`,
        dataset: { focus: "speaker" },
        on: { click: (event) => page.showSpeakers(event.currentTarget) },
      },
      avatar(user, 32),
      h(
        "span",
        { class: "speaker-text" },
        h("strong", {}, userName(user)),
        h("small", {}, `Speaking as @${user.username}`),
      ),
      icon("down", 16),
    ),
  );
}
