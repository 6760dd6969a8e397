import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isEmojiOnly,
  parse,
  plainText,
} from "../../../services/discord-simulator/src/botswain_simulator/page/assets/markdown.js";

const text = (value) => ({ type: "text", text: value });
const span = (type, ...children) => ({ type, children });
const link = (url, ...children) => ({ type: "link", url, children });
const br = { type: "br" };

const CASES = {
  "plain text stays one node": ["just words, 2 * 3 * 4 and a_b_c", [text("just words, 2 * 3 * 4 and a_b_c")]],
  "the six spans": [
    "**b** *i* _i_ __u__ ~~s~~ ||x||",
    [
      span("strong", text("b")),
      text(" "),
      span("em", text("i")),
      text(" "),
      span("em", text("i")),
      text(" "),
      span("underline", text("u")),
      text(" "),
      span("strike", text("s")),
      text(" "),
      span("spoiler", text("x")),
    ],
  ],
  "spans nest": [
    "**a *b* __c__**",
    [span("strong", text("a "), span("em", text("b")), text(" "), span("underline", text("c")))],
  ],
  "three stars are bold and italic": ["***x***", [span("strong", span("em", text("x")))]],
  "a span may hold line breaks": ["**a\nb**", [span("strong", text("a"), br, text("b"))]],
  "an unclosed mark is text": ["**a and ~~b and ||c", [text("**a and ~~b and ||c")]],
  "a backslash takes a mark's meaning": ["\\*a\\* \\_b\\_ \\\\", [text("*a* _b_ \\")]],
  "a backslash before a letter stays": ["C:\\new", [text("C:\\new")]],
  "underscores inside words are letters": ["snake_case_name", [text("snake_case_name")]],
  "code keeps its marks": [
    "`**a**` ``b`c``",
    [{ type: "code", text: "**a**" }, text(" "), { type: "code", text: "b`c" }],
  ],
  "a mark inside code closes nothing": ["*a `*` b*", [span("em", text("a "), { type: "code", text: "*" }, text(" b"))]],
  "a code block with its language": ["```PY\nprint(1)\n```", [{ type: "codeblock", lang: "py", text: "print(1)" }]],
  "a code block without one, amid text": [
    "a ```b c``` d",
    [text("a "), { type: "codeblock", lang: "", text: "b c" }, text(" d")],
  ],
  "one word in a code block is no language": ["```py```", [{ type: "codeblock", lang: "", text: "py" }]],
  "a code block keeps blank lines inside": ["```\na\n\n  b\n```", [{ type: "codeblock", lang: "", text: "a\n\n  b" }]],
  "quoted lines are one quote": ["> a\n> b\nc", [span("quote", text("a"), br, text("b")), text("c")]],
  "three arrows quote the rest": [">>> a\nb", [span("quote", text("a"), br, text("b"))]],
  "a quote has no quote inside": ["> > a", [span("quote", text("> a"))]],
  "an arrow within a line is text": ["a > b", [text("a > b")]],
  "headings of three levels, not four": [
    "# a\n### b\n#### c",
    [
      { type: "heading", level: 1, children: [text("a")] },
      { type: "heading", level: 3, children: [text("b")] },
      text("#### c"),
    ],
  ],
  "a hash without a blank is text": ["#a", [text("#a")]],
  subtext: ["-# small *a*\nb", [span("subtext", text("small "), span("em", text("a"))), text("b")]],
  "lists nest by indentation": [
    "- a\n  - b\n* c\nd",
    [
      {
        type: "list",
        ordered: false,
        start: 1,
        items: [[text("a"), { type: "list", ordered: false, start: 1, items: [[text("b")]] }], [text("c")]],
      },
      text("d"),
    ],
  ],
  "a numbered list keeps its start": [
    "3. a\n4. **b**",
    [{ type: "list", ordered: true, start: 3, items: [[text("a")], [span("strong", text("b"))]] }],
  ],
  "a dash within a line is text": ["a\nb - c", [text("a"), br, text("b - c")]],
  "bare addresses end before punctuation": [
    "see https://a.example/b?c=1. Ok",
    [text("see "), link("https://a.example/b?c=1", text("https://a.example/b?c=1")), text(". Ok")],
  ],
  "brackets in addresses balance": [
    "(https://a.example/b_(c))",
    [text("("), link("https://a.example/b_(c)", text("https://a.example/b_(c)")), text(")")],
  ],
  "an address in arrows": ["<https://a.example>", [link("https://a.example", text("https://a.example"))]],
  "masked links": [
    '[**a**](https://a.example/x_(y) "t")',
    [link("https://a.example/x_(y)", span("strong", text("a")))],
  ],
  "only http makes a link": [
    "[a](javascript:alert(1)) javascript:alert(1)",
    [text("[a](javascript:alert(1)) javascript:alert(1)")],
  ],
  mentions: [
    "<@1> <@!2> <@&3> <#4> @everyone @here",
    [
      ["user", "1"],
      ["user", "2"],
      ["role", "3"],
      ["channel", "4"],
      ["everyone", null],
      ["here", null],
    ].flatMap(([kind, id], index) => [...(index ? [text(" ")] : []), { type: "mention", kind, id }]),
  ],
  "@everyoneelse mentions nobody": ["@everyoneelse", [text("@everyoneelse")]],
  "custom emoji": [
    "<:ok:12><a:go:34>",
    [
      { type: "emoji", animated: false, name: "ok", id: "12" },
      { type: "emoji", animated: true, name: "go", id: "34" },
    ],
  ],
  timestamps: [
    "<t:5> <t:-6:R> <t:7:x>",
    [
      { type: "timestamp", unix: 5, style: "f" },
      text(" "),
      { type: "timestamp", unix: -6, style: "R" },
      text(" <t:7:x>"),
    ],
  ],
  "command mentions": ["</deck add:9>", [{ type: "command", name: "deck add", id: "9" }]],
  "HTML is text": [
    "<img src=x onerror=alert(1)><script>1</script>",
    [text("<img src=x onerror=alert(1)><script>1</script>")],
  ],
};

for (const [name, [source, tree]] of Object.entries(CASES)) {
  test(`Markdown: ${name}`, () => assert.deepEqual(parse(source), tree));
}

test("Markdown: whatever comes in, the letters of plain text come out", () => {
  for (const source of ["", "a", "****", "``", "||||", ">", "- ", "# ", "[]()", "<>", "\\", "```", "*_~|`"]) {
    assert.equal(plainText(parse(source)).trim(), source.trim(), JSON.stringify(source));
  }
});

test("Markdown: hostile input of a message's length ends, and no node is nested without bound", () => {
  const depth = (nodes) => Math.max(0, ...nodes.map((node) => 1 + depth(node.children ?? (node.items ?? []).flat())));
  for (const piece of ["*", "**", "_a", "||", "`", "```", "[", "[a](", "> ", "- ", "***a", "<@", "https://(", "\\"]) {
    assert.ok(depth(parse(piece.repeat(Math.ceil(4000 / piece.length)))) < 100, piece);
  }
  const nested = Array.from({ length: 60 }, (_, index) => ["**", "__", "~~", "||"][index % 4]);
  assert.ok(depth(parse(`${nested.join("")}x${nested.toReversed().join("")}`)) < 20);
});

test("Markdown: a message of emoji alone is told from one with words", () => {
  assert.ok(isEmojiOnly(parse("🎉 👍🏽 <:ok:12>")));
  assert.ok(isEmojiOnly(parse("👩‍💻")));
  assert.ok(!isEmojiOnly(parse("🎉 done")));
  assert.ok(!isEmojiOnly(parse("12")));
  assert.ok(!isEmojiOnly(parse("")));
});

test("Markdown: plain text names mentions and hides spoilers", () => {
  const names = { user: (id) => `@user${id}`, channel: (id) => `#channel${id}` };
  assert.equal(plainText(parse("**hi** <@1> in <#2>: ||secret|| `x`"), names), "hi @user1 in #channel2: (spoiler) x");
});
