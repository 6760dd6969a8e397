/** The right side: who is here. Bots show whether a gateway connection of theirs stands. */

import { displayName, memberGroups, nameColour } from "../model.js";
import { ensureStop, h, redraw, rovingFocus } from "./dom.js";
import { avatar, botTag } from "./people.js";

export function mountMembers(page, box) {
  rovingFocus(box, ".member");
  page.store.subscribe(["state", "selection", "members", "users"], () => draw(page, box));
}

function draw(page, box) {
  const { state } = page;
  const channel = state.channels.get(state.selected);
  if (!channel) return redraw(box);
  redraw(
    box,
    memberGroups(state, channel).map((group) => [
      h("h3", {}, `${group.title} — ${group.users.length}`),
      h(
        "ul",
        {},
        group.users.map((user) => h("li", {}, member(page, user, channel.guild_id, group.online))),
      ),
    ]),
  );
  return ensureStop(box, ".member");
}

function member(page, user, guildId, online) {
  const { state } = page;
  const colour = nameColour(state, user.id, guildId);
  const status = user.bot ? (online ? "online" : "offline") : null;
  return h(
    "button",
    {
      type: "button",
      class: `member${online ? "" : " offline"}`,
      "aria-label": [displayName(state, user.id, guildId), user.bot ? "bot" : null, status].filter(Boolean).join(", "),
      dataset: { focus: `member-${user.id}`, member: user.id },
      on: { click: (event) => page.showProfile(user, event.currentTarget) },
    },
    h("span", { class: "face" }, avatar(user, 32), status ? h("span", { class: `presence ${status}` }) : null),
    h(
      "span",
      { class: "member-name", vars: colour ? { "--name-colour": colour } : {} },
      displayName(state, user.id, guildId),
    ),
    user.bot ? botTag() : null,
  );
}
