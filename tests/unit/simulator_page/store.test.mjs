import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../../services/discord-simulator/src/botswain_simulator/page/assets/history.js";
import {
  channelOrder,
  channelTree,
  compareIds,
  continues,
  dmsOf,
  isUnread,
  memberGroups,
  mentionsUser,
  timelineRows,
} from "../../../services/discord-simulator/src/botswain_simulator/page/assets/model.js";
import * as store from "../../../services/discord-simulator/src/botswain_simulator/page/assets/store.js";

const ADA = { id: "1", username: "ada", global_name: "Ada" };
const GRACE = { id: "2", username: "grace", global_name: "Grace" };
const BOT = { id: "9", username: "botswain", bot: true };

function world() {
  const state = store.emptyState();
  store.loadState(state, {
    me: "1",
    users: [ADA, GRACE],
    bots: [{ user: BOT, application_id: "9", online: false }],
    guilds: [
      {
        id: "50",
        name: "Harbour",
        roles: [{ id: "60", name: "crew", color: 0, position: 1 }],
        channels: [
          { id: "101", name: "random", type: 0, position: 2, parent_id: "100" },
          { id: "100", name: "Text", type: 4, position: 0 },
          { id: "102", name: "general", type: 0, position: 1, parent_id: "100", last_message_id: "500" },
        ],
        threads: [{ id: "103", name: "a thread", type: 11, parent_id: "102" }],
        members: [
          { user: ADA, nick: null, roles: ["60"] },
          { user: GRACE, nick: "Admiral", roles: [] },
          { user: BOT, roles: [] },
        ],
      },
    ],
    dms: [
      { id: "200", type: 1, recipients: [ADA, BOT] },
      { id: "201", type: 1, recipients: [GRACE, BOT] },
    ],
  });
  return state;
}

const message = (id, changes = {}) => ({
  id,
  channel_id: "102",
  author: GRACE,
  content: `m${id}`,
  timestamp: "2026-11-22T10:00:00Z",
  type: 0,
  reactions: [],
  ...changes,
});

function opened() {
  const state = world();
  store.selectChannel(state, "102");
  store.addPage(state, "102", {}, [message("500"), message("499")], 50);
  return state;
}

const ids = (state) => state.conversations.get("102").messages.map((item) => item.id);

test("ids: the longer one is newer, whatever its first digit", () => {
  assert.ok(compareIds("999", "1000") < 0);
  assert.ok(compareIds("1271234567890123456", "1271234567890123457") < 0);
});

test("channels: categories and positions make the order, threads follow their channel", () => {
  const state = world();
  assert.deepEqual(channelOrder(state, "50"), ["102", "103", "101"]);
  assert.deepEqual(
    channelTree(state, "50").map((group) => group.category?.name),
    ["Text"],
  );
});

test("direct messages: the speaker sees only their own", () => {
  assert.deepEqual(
    dmsOf(world(), "1").map((channel) => channel.id),
    ["200"],
  );
});

test("members: bots are online or not, by presence", () => {
  const state = world();
  const titles = () =>
    memberGroups(state, state.channels.get("102")).map((group) => `${group.title} ${group.users.length}`);
  assert.deepEqual(titles(), ["People 2", "Bots offline 1"]);
  store.reduce(state, "presence", { user_id: "9", online: true });
  assert.deepEqual(titles(), ["Bots online 1", "People 2"]);
});

test("events: a message comes at its place once, however often it is told", () => {
  const state = opened();
  store.reduce(state, "message_create", message("502"));
  store.reduce(state, "message_create", message("501"));
  store.reduce(state, "message_create", message("502"));
  assert.deepEqual(ids(state), ["499", "500", "501", "502"]);
});

test("events: an edit changes the message and the quotes of it, and keeps the reactions", () => {
  const state = opened();
  store.reduce(state, "reaction_add", {
    channel_id: "102",
    message_id: "500",
    user_id: "1",
    emoji: { id: null, name: "🎉" },
  });
  store.reduce(
    state,
    "message_create",
    message("501", { type: 19, message_reference: { message_id: "500" }, referenced_message: message("500") }),
  );
  store.reduce(state, "message_update", { id: "500", channel_id: "102", content: "new", edited_timestamp: "x" });
  const [, edited, answer] = state.conversations.get("102").messages;
  assert.equal(edited.content, "new");
  assert.deepEqual(edited.reactions, [{ emoji: { id: null, name: "🎉" }, count: 1, users: ["1"] }]);
  assert.equal(answer.referenced_message.content, "new");
});

test("events: a deleted message goes, and what answered it says so", () => {
  const state = opened();
  store.reduce(
    state,
    "message_create",
    message("501", { type: 19, message_reference: { message_id: "500" }, referenced_message: message("500") }),
  );
  store.reduce(state, "message_delete", { id: "500", channel_id: "102" });
  assert.deepEqual(ids(state), ["499", "501"]);
  assert.equal(state.conversations.get("102").messages[1].referenced_message, null);
});

test("reactions: told twice counts once, and the last one taken away removes the sign", () => {
  const emoji = { id: null, name: "👍" };
  const once = store.withReaction([], emoji, "1", true);
  assert.deepEqual(store.withReaction(once, emoji, "1", true), once);
  assert.equal(store.withReaction(once, emoji, "2", true)[0].count, 2);
  assert.deepEqual(store.withReaction(once, emoji, "1", false), []);
  assert.deepEqual(store.withReaction([], emoji, "1", false), []);
});

test("reactions: custom emoji are told apart by id, not by name", () => {
  const both = store.withReaction(
    store.withReaction([], { id: "7", name: "ok" }, "1", true),
    { id: "8", name: "ok" },
    "1",
    true,
  );
  assert.equal(both.length, 2);
});

test("unread: what others write elsewhere marks the channel until it is opened; what one writes oneself does not", () => {
  const state = opened();
  store.reduce(state, "message_create", message("600", { channel_id: "101" }));
  assert.ok(isUnread(state, state.channels.get("101")));
  store.selectChannel(state, "101");
  assert.ok(!isUnread(state, state.channels.get("101")));
  store.reduce(state, "message_create", message("700", { author: ADA }));
  assert.ok(!isUnread(state, state.channels.get("102")));
});

test("unread: opening a channel remembers where the new messages begin", () => {
  const state = opened();
  store.selectChannel(state, "101");
  store.reduce(state, "message_create", message("501"));
  store.selectChannel(state, "102");
  assert.equal(state.unreadFrom, "500");
  assert.deepEqual(
    timelineRows(state.conversations.get("102").messages, state.unreadFrom).map((row) => row.kind),
    ["day", "message", "message", "new", "message"],
  );
});

test("mentions: by name, by role and everyone, and never by oneself", () => {
  const state = world();
  assert.ok(mentionsUser(state, message("1", { mentions: [ADA] }), "1", "50"));
  assert.ok(mentionsUser(state, message("1", { mention_roles: ["60"] }), "1", "50"));
  assert.ok(mentionsUser(state, message("1", { mention_everyone: true }), "1", "50"));
  assert.ok(!mentionsUser(state, message("1", { mentions: [GRACE] }), "1", "50"));
  assert.ok(!mentionsUser(state, message("1", { author: ADA, mention_everyone: true }), "1", "50"));
});

test("pending: the real message takes the place of the one on its way, by nonce", () => {
  const state = opened();
  store.addPending(state, { ...message("n1", { author: ADA }), nonce: "n1", pending: "sending" });
  store.failPending(state, "102", "n1", "The simulator can't be reached.");
  assert.equal(state.pending.get("102")[0].pending, "failed");
  store.reduce(state, "message_create", message("501", { author: ADA, nonce: "n1" }));
  assert.deepEqual(state.pending.get("102"), []);
});

test("typing: runs out after 10 s and ends with the message", () => {
  const state = opened();
  store.reduce(state, "typing_start", { channel_id: "102", user_id: "9" }, 1000);
  store.reduce(state, "typing_start", { channel_id: "102", user_id: "1" }, 1000);
  assert.deepEqual(store.typingUsers(state, "102", 10_999), ["9"]);
  assert.deepEqual(store.typingUsers(state, "102", 11_000), []);
  assert.equal(store.expireTyping(state, 5000), 6000);
  store.reduce(state, "message_create", message("501", { author: BOT }));
  assert.deepEqual(store.typingUsers(state, "102", 2000), []);
});

test("history: pages join without gaps or doubles, and a short page is the beginning", () => {
  const state = opened();
  store.addPage(state, "102", { before: "499" }, [message("498"), message("499")], 2);
  assert.deepEqual(ids(state), ["498", "499", "500"]);
  assert.ok(!state.conversations.get("102").atStart);
  store.addPage(state, "102", { before: "498" }, [message("497")], 2);
  assert.ok(state.conversations.get("102").atStart);
});

test("history: away from the present, live messages wait until the window reaches it", () => {
  const state = opened();
  store.addPage(state, "102", { around: "300" }, [message("301"), message("300")], 2);
  store.reduce(state, "message_create", message("501"));
  assert.deepEqual(ids(state), ["300", "301"]);
  store.addPage(state, "102", { after: "301" }, [message("501"), message("500")], 50);
  assert.ok(state.conversations.get("102").atEnd);
});

test("grouping: same author within seven minutes of one day, and no reply", () => {
  const at = (time, changes) => message("1", { timestamp: `2026-11-22T${time}Z`, ...changes });
  assert.ok(continues(at("10:00:00"), at("10:06:59")));
  assert.ok(!continues(at("10:00:00"), at("10:07:01")));
  assert.ok(!continues(at("10:00:00"), at("10:01:00", { author: ADA })));
  assert.ok(!continues(at("10:00:00"), at("10:01:00", { type: 19, message_reference: {} })));
  assert.ok(!continues(at("10:00:00", { type: 7 }), at("10:01:00")));
});

test("the store tells a listener once per frame, and only of its topics", () => {
  let run;
  const seen = [];
  const live = new store.Store({ count: 0 }, (flush) => (run = flush));
  live.subscribe(["a"], (topics) => seen.push([...topics]));
  live.change(() => ["a"]);
  live.change(() => ["a", "b"]);
  run();
  live.change(() => ["b"]);
  run();
  assert.deepEqual(seen, [["a", "b"]]);
});

test("unknown events change nothing", () => {
  assert.deepEqual(store.reduce(world(), "poll_vote_add", {}), []);
});

test("loading: what happens while an answer is on its way is not lost under it", async () => {
  const live = new store.Store(opened());
  const history = new History(live, (work) => work());
  const answered = deferred();
  const loading = history.load(
    () => answered.promise,
    (state, page) => store.addPage(state, "102", {}, page, 50),
  );
  const event = message("501", { mentions: [ADA] });
  history.record("message_create", event);
  live.change((state) => store.reduce(state, "message_create", event));
  answered.resolve([message("500"), message("499")]);
  await loading;
  assert.deepEqual(ids(live.state), ["499", "500", "501"]);
  assert.equal(live.state.mentions.get("102"), 1);
});

function deferred() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}
