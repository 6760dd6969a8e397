import assert from "node:assert/strict";
import { test } from "node:test";
import { searchEmoji } from "../../../services/discord-simulator/src/botswain_simulator/page/assets/emoji.js";
import {
  dayLabel,
  fileSize,
  initials,
  messageTime,
  nameList,
  relative,
  stamp,
  typingSentence,
} from "../../../services/discord-simulator/src/botswain_simulator/page/assets/format.js";
import { highlight } from "../../../services/discord-simulator/src/botswain_simulator/page/assets/highlight.js";
import { matchRank } from "../../../services/discord-simulator/src/botswain_simulator/page/assets/model.js";
import { retryDelay, SseParser } from "../../../services/discord-simulator/src/botswain_simulator/page/assets/sse.js";

const NOW = new Date(2026, 10, 22, 12, 0);

test("times: today, yesterday and before read differently", () => {
  assert.equal(messageTime(new Date(2026, 10, 22, 9, 5), NOW, "en-GB"), "09:05");
  assert.equal(messageTime(new Date(2026, 10, 21, 9, 5), NOW, "en-GB"), "Yesterday 09:05");
  assert.equal(messageTime(new Date(2026, 10, 1, 9, 5), NOW, "en-GB"), "01/11/2026 09:05");
  assert.equal(dayLabel(NOW, NOW, "en-GB"), "Today, 22 November 2026");
});

test("times: relative stamps choose their unit", () => {
  const ago = (seconds) => relative(new Date(NOW.getTime() - seconds * 1000), NOW, "en");
  assert.deepEqual(
    [ago(5), ago(120), ago(7200), ago(-3 * 86400)],
    ["5 seconds ago", "2 minutes ago", "2 hours ago", "in 3 days"],
  );
  assert.equal(stamp(9e15, "F"), "Invalid date");
});

test("sizes are decimal and short", () => {
  assert.deepEqual([0, 999, 1000, 1536, 999_600, 25_000_000].map(fileSize), [
    "0 B",
    "999 B",
    "1 kB",
    "1.5 kB",
    "1 MB",
    "25 MB",
  ]);
  assert.equal(fileSize(undefined), "");
});

test("initials come from any name", () => {
  assert.deepEqual(["Harbour", "Deep Sea Lab", "ada_l", "", "🎉"].map(initials), ["HA", "DL", "AL", "?", "🎉"]);
});

test("lists of names stay short", () => {
  assert.equal(typingSentence(["botswain"]), "botswain is typing…");
  assert.equal(typingSentence(["Ada", "Bo"]), "Ada and Bo are typing…");
  assert.equal(typingSentence(["a", "b", "c", "d"]), "Several people are typing…");
  assert.equal(nameList(["a", "b", "c"], 2), "a, b and 1 more");
});

test("colouring code loses no letter, whatever the language", () => {
  const source = 'def f(x): # note\n  return "a\\"b" + 0x1F  // not python\n/* open';
  for (const language of ["py", "js", "sql", "diff", "", "nonsense"])
    assert.equal(
      highlight(source, language)
        .map(([, text]) => text)
        .join(""),
      source,
    );
  assert.deepEqual(highlight("return f(1)", "py"), [
    ["keyword", "return"],
    [null, " "],
    ["call", "f"],
    [null, "("],
    ["number", "1"],
    [null, ")"],
  ]);
});

test("event stream: events come whole, however the bytes were cut", () => {
  const wire = ': hello\n\nid: 7\nevent: message_create\ndata: {"a":\ndata: 1}\n\nevent: resync\n\n';
  for (let cut = 1; cut < wire.length; cut += 1) {
    const parser = new SseParser();
    const events = [...parser.push(wire.slice(0, cut)), ...parser.push(wire.slice(cut))];
    assert.deepEqual(events, [
      { id: "7", event: "message_create", data: '{"a":\n1}' },
      { id: "7", event: "resync", data: "" },
    ]);
  }
});

test("event stream: carriage returns end lines too, also when cut in half", () => {
  const parser = new SseParser();
  assert.deepEqual([...parser.push("data: a\r"), ...parser.push("\n\r\n")], [{ id: "", event: "message", data: "a" }]);
});

test("event stream: attempts slow down to a bound", () => {
  assert.deepEqual(
    [0, 1, 2, 10].map((attempt) => retryDelay(attempt, () => 0.5)),
    [400, 800, 1600, 5000],
  );
});

test("search: exact starts rank before words before middles before scattered letters", () => {
  assert.deepEqual(
    ["general", "my general", "ingeneral", "g-e-n", "random"].map((text) => matchRank(text, "gen")),
    [0, 1, 2, 3, -1],
  );
  assert.equal(searchEmoji("rocket")[0].char, "🚀");
});
