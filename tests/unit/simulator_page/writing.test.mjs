import assert from "node:assert/strict";
import { test } from "node:test";
import {
  autocompletion,
  entryOf,
  flatten,
  offer,
  parseCommand,
  suggestCommand,
  usage,
} from "../../../services/discord-simulator/src/botswain_simulator/page/assets/commands.js";
import {
  decode,
  encode,
  insertSuggestion,
  suggestionsFor,
  triggerAt,
} from "../../../services/discord-simulator/src/botswain_simulator/page/assets/composing.js";

const NAMES = {
  users: [
    { id: "1", username: "ada", global_name: "Ada" },
    { id: "2", username: "ada.l", global_name: "Lovelace" },
    { id: "3", username: "botswain" },
  ],
  channels: [
    { id: "10", name: "general" },
    { id: "11", name: "general-talk" },
  ],
  roles: [
    { id: "20", name: "crew" },
    { id: "21", name: "@everyone" },
  ],
};

test("writing: names become mentions, the longest name first, and code is left alone", () => {
  assert.equal(encode("@ada @ada.l @crew #general #general-talk `@ada`", NAMES), "<@1> <@2> <@&20> <#10> <#11> `@ada`");
  assert.equal(encode("```\n@ada\n``` @Ada, hi", NAMES), "```\n@ada\n``` <@1>, hi");
});

test("writing: what only looks like a name stays", () => {
  for (const text of ["mail@ada.example", "@adamant", "#generals", "@everyone", "x@ada"])
    assert.equal(encode(text, NAMES), text);
});

test("writing: shortcodes become emoji, unknown ones stay", () => {
  assert.equal(encode(":tada: :nonsense: 12:30:45", NAMES), "🎉 :nonsense: 12:30:45");
});

test("writing: the guild's own emoji win over common ones, and marks that stand are not touched", () => {
  const names = {
    ...NAMES,
    emojis: [
      { id: "30", name: "tada" },
      { id: "31", name: "spin", animated: true },
    ],
  };
  assert.equal(encode(":tada: :spin: <:tada:30> <a:tada:31>", names), "<:tada:30> <a:spin:31> <:tada:30> <a:tada:31>");
  assert.equal(encode("<:tada:30>", NAMES), "<:tada:30>");
  assert.equal(suggestionsFor({ kind: "emoji", query: "tad", start: 0 }, names)[0].insert, ":tada:");
});

test("commands: what a bot offers for an option is asked for by name and sent by value", () => {
  const registered = () =>
    flatten([
      {
        id: "8",
        name: "sail",
        options: [
          { name: "to", type: 3, autocomplete: true },
          { name: "fast", type: 5 },
        ],
      },
    ]);
  const entries = registered();
  assert.equal(autocompletion("/sail fast:true", entries), null);
  const wanted = autocompletion("/sail fast:true to:ro", entries);
  assert.deepEqual(wanted.options[1], { name: "to", type: 3, value: "ro", focused: true });
  assert.equal(offer(wanted, [{ name: "Port Royal", value: "pr" }])[0].insert, '"Port Royal" ');
  for (const known of [entries, registered()])
    assert.equal(parseCommand('/sail to:"Port Royal"', known, resolve).options[0].value, "pr");
});

test("writing: decoding for an edit and encoding again gives the same content", () => {
  const content = "<@1> and <@2> in <#11> for <@&20>, not <@999> or `<@1>`";
  assert.equal(encode(decode(content, NAMES), NAMES), content);
});

test("writing: the caret tells what is being typed", () => {
  assert.deepEqual(triggerAt("hi @ad", 6), { kind: "mention", query: "ad", start: 3 });
  assert.deepEqual(triggerAt("#ge tail", 3), { kind: "channel", query: "ge", start: 0 });
  assert.deepEqual(triggerAt("(:ta", 4), { kind: "emoji", query: "ta", start: 1 });
  assert.equal(triggerAt("12:30", 5), null);
  assert.equal(triggerAt(":t", 2), null);
  assert.equal(triggerAt("```\n@ad", 7), null);
  assert.equal(triggerAt("mail@ad", 7), null);
});

test("writing: suggestions rank names that start with what was typed first", () => {
  const labels = (kind, query) => suggestionsFor({ kind, query, start: 0 }, NAMES).map((item) => item.insert);
  assert.deepEqual(labels("mention", "ada"), ["@ada", "@ada.l"]);
  assert.deepEqual(labels("mention", "love"), ["@ada.l"]);
  assert.deepEqual(labels("mention", "ever"), ["@everyone"]);
  assert.deepEqual(labels("channel", "talk"), ["#general-talk"]);
  assert.equal(labels("emoji", "tada")[0], "🎉");
});

test("writing: a taken suggestion leaves the caret behind it and one blank", () => {
  assert.deepEqual(insertSuggestion("hi @ad", 6, 3, "@ada"), { text: "hi @ada ", caret: 8 });
  assert.deepEqual(insertSuggestion("@ad there", 3, 0, "@ada"), { text: "@ada there", caret: 5 });
});

const COMMANDS = [
  {
    id: "5",
    name: "remind",
    description: "Remind me",
    type: 1,
    options: [
      { name: "when", type: 3, required: true },
      { name: "times", type: 4 },
      { name: "loud", type: 5 },
      { name: "who", type: 6 },
    ],
  },
  {
    id: "6",
    name: "deck",
    type: 1,
    description: "",
    options: [
      {
        name: "add",
        type: 1,
        description: "Add one",
        options: [
          {
            name: "kind",
            type: 3,
            required: true,
            choices: [
              { name: "Oak wood", value: "oak" },
              { name: "Pine", value: "pine" },
            ],
          },
        ],
      },
      { name: "card", type: 2, options: [{ name: "drop", type: 1, options: [] }] },
    ],
  },
  { id: "7", name: "Quote", type: 3 },
];
const ENTRIES = flatten(COMMANDS);
const resolve = (type, text) => (type === 6 && text === "@ada" ? "1" : null);

test("commands: subcommands become entries of their own and context-menu commands none", () => {
  assert.deepEqual(
    ENTRIES.map((entry) => entry.path),
    ["remind", "deck add", "deck card drop"],
  );
  assert.equal(entryOf("/deck add kind:x", ENTRIES).path, "deck add");
  assert.equal(entryOf("/deckhand", ENTRIES), null);
  assert.equal(usage(ENTRIES[0]), "/remind when: [times:] [loud:] [who:]");
});

test("commands: a line becomes options of Discord's types", () => {
  const parsed = parseCommand('/remind when:"in \\"2\\" h" times:3 loud:yes who:@ada', ENTRIES, resolve);
  assert.deepEqual(parsed.options, [
    { name: "when", type: 3, value: 'in "2" h' },
    { name: "times", type: 4, value: 3 },
    { name: "loud", type: 5, value: true },
    { name: "who", type: 6, value: "1" },
  ]);
  assert.equal(parsed.command.id, "5");
});

test("commands: a bare tail is the required option's value", () => {
  assert.deepEqual(parseCommand("/remind tomorrow at 9", ENTRIES, resolve).options, [
    { name: "when", type: 3, value: "tomorrow at 9" },
  ]);
});

test("commands: subcommands nest their options, and a choice's name gives its value", () => {
  assert.deepEqual(parseCommand('/deck add kind:"oak wood"', ENTRIES, resolve).options, [
    { name: "add", type: 1, options: [{ name: "kind", type: 3, value: "oak" }] },
  ]);
  assert.deepEqual(parseCommand("/deck card drop", ENTRIES, resolve).options, [
    { name: "card", type: 2, options: [{ name: "drop", type: 1, options: [] }] },
  ]);
});

test("commands: what is wrong is said in a sentence that names it", () => {
  assert.match(parseCommand("/nothing", ENTRIES, resolve).error, /no command \/nothing/);
  assert.match(parseCommand("/remind", ENTRIES, resolve).error, /needs when:/);
  assert.match(
    parseCommand("/remind when:x times:2.5", ENTRIES, resolve).error,
    /times must be a whole number, not "2.5"/,
  );
  assert.match(parseCommand("/remind when:x loud:maybe", ENTRIES, resolve).error, /loud must be true or false/);
  assert.match(parseCommand("/remind when:x who:@nobody", ENTRIES, resolve).error, /nobody/);
  assert.match(parseCommand("/deck add kind:elm", ENTRIES, resolve).error, /one of Oak wood, Pine/);
});

test("commands: suggestions go from the command to its options to their choices", () => {
  const labels = (text) => suggestCommand(text, ENTRIES).map((item) => item.label);
  assert.deepEqual(labels("/de"), ["/deck add", "/deck card drop"]);
  assert.deepEqual(labels("/remind "), ["when:", "times:", "loud:", "who:"]);
  assert.deepEqual(labels("/remind when:x t"), ["times:"]);
  assert.deepEqual(labels("/deck add kind:pi"), ["Pine"]);
  assert.equal(suggestCommand("/deck add kind:oak", ENTRIES)[0].insert, '"Oak wood" ');
});
