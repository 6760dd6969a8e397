/**
 * Discord's Markdown, as a tree.
 *
 * `parse(source)` gives an array of plain nodes and never touches the DOM, so that it runs under node's test runner
 * and so that what a user wrote can only ever become text: `render/markdown.js` builds elements from the node types
 * named here and from nothing else.
 *
 * One parser for blocks and spans, because Discord mixes them freely: block rules (quote, heading, list) hold at the
 * start of a line, span rules everywhere. A rule looks at one position and either gives `{node, end}` or nothing;
 * what no rule takes is text. Closing marks are searched by hand, since the usual lazy expressions backtrack badly on
 * hostile input.
 *
 * Nodes: {type: "text", text} · strong, em, underline, strike, spoiler, quote, subtext {children} · heading {level,
 * children} · list {ordered, start, items: [children]} · code {text} · codeblock {lang, text} · link {url, children}
 * · mention {kind: user|channel|role|everyone|here, id} · emoji {id, name, animated} · timestamp {unix, style} ·
 * command {name, id} · br
 */

const MAX_DEPTH = 12;

const CODE_BLOCK = /```(?:([a-zA-Z0-9_+\-.#]+)\n)?\n*((?:(?!```)[^])*[^\s`](?:(?!```)[^])*?)\n*```/y;
const MASKED_LINK =
  /\[((?:\\.|[^[\]\\\n])+)\]\(\s*<?(https?:\/\/(?:[^\s<>()]|\([^\s<>()]*\))+)>?(?:\s+"[^"\n]*")?\s*\)/y;
const BARE_URL = /https?:\/\/[^\s<>|]*[^\s<>|.,:;"'!?*_~\]]/y;
const ANGLED = [
  [/<@!?(\d{1,20})>/y, (m) => ({ type: "mention", kind: "user", id: m[1] })],
  [/<@&(\d{1,20})>/y, (m) => ({ type: "mention", kind: "role", id: m[1] })],
  [/<#(\d{1,20})>/y, (m) => ({ type: "mention", kind: "channel", id: m[1] })],
  [/<(a)?:(\w{1,32}):(\d{1,20})>/y, (m) => ({ type: "emoji", animated: Boolean(m[1]), name: m[2], id: m[3] })],
  [/<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/y, (m) => ({ type: "timestamp", unix: Number(m[1]), style: m[2] ?? "f" })],
  [/<\/([-_\p{L}\p{N} ]{1,98}):(\d{1,20})>/uy, (m) => ({ type: "command", name: m[1], id: m[2] })],
  [/<(https?:\/\/[^\s<>]+)>/y, (m) => ({ type: "link", url: m[1], children: [{ type: "text", text: m[1] }] })],
];
const HEADING = /(#{1,3})[ \t]+([^\n]+)/y;
const SUBTEXT = /-#[ \t]+([^\n]+)/y;
const LIST_LINE = /^( *)(?:([-*])|(\d{1,9})\.)[ \t]+(\S.*)$/;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}_]/u;

/** @returns {object[]} the tree of a message's content */
export function parse(source) {
  return parseIn(String(source ?? ""), { depth: 0, lineStart: true, quote: false, link: false, list: false });
}

/** The words of a tree without any mark-up: for reply previews, notifications and screen readers. */
export function plainText(nodes, names = {}) {
  return nodes.map((node) => plainNode(node, names)).join("");
}

/** True for a message made of at most 12 emoji and white space, which is shown large. */
export function isEmojiOnly(nodes) {
  let count = 0;
  for (const node of nodes) {
    if (node.type === "br") continue;
    if (node.type === "emoji") count += 1;
    else if (node.type === "text") {
      const clusters =
        node.text
          .replace(/\s+/gu, "")
          .match(/\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})*|[^]/gu) ?? [];
      if (clusters.some((cluster) => !/^\p{Extended_Pictographic}/u.test(cluster))) return false;
      count += clusters.length;
    } else return false;
  }
  return count > 0 && count <= 12;
}

function plainNode(node, names) {
  switch (node.type) {
    case "text":
    case "code":
    case "codeblock":
      return node.text;
    case "br":
      return " ";
    case "mention":
      return names[node.kind]?.(node.id) ?? `@${node.kind}`;
    case "emoji":
      return `:${node.name}:`;
    case "timestamp":
      return new Date(node.unix * 1000).toISOString().slice(0, 16).replace("T", " ");
    case "command":
      return `/${node.name}`;
    case "spoiler":
      return "(spoiler)";
    case "list":
      return node.items.map((item) => plainText(item, names)).join(" ");
    default:
      return plainText(node.children, names) + (["quote", "heading", "subtext"].includes(node.type) ? " " : "");
  }
}

function parseIn(source, context) {
  const nodes = [];
  let text = "";
  let position = 0;
  let lineStart = context.lineStart;
  const flush = () => {
    if (text) nodes.push({ type: "text", text });
    text = "";
  };
  while (position < source.length) {
    const found = (lineStart && blockAt(source, position, context)) || spanAt(source, position, context);
    if (!found) {
      text += source[position];
      lineStart = false;
      position += 1;
      continue;
    }
    if (found.text !== undefined) text += found.text;
    else {
      flush();
      nodes.push(found.node);
    }
    position = found.end;
    lineStart = context.lineStart && (found.node?.type === "br" || Boolean(found.block));
  }
  flush();
  return nodes;
}

function inner(source, context, changes = {}) {
  if (context.depth >= MAX_DEPTH) return [{ type: "text", text: source }];
  return parseIn(source, { ...context, depth: context.depth + 1, ...changes });
}

function match(expression, source, position) {
  expression.lastIndex = position;
  return expression.exec(source);
}

/** A block swallows the line break after it: it stands on lines of its own anyway. */
function block(node, source, end) {
  return { node, end: source[end] === "\n" ? end + 1 : end, block: true };
}

function blockAt(source, position, context) {
  switch (source[position]) {
    case ">":
      return context.quote ? null : quoteAt(source, position, context);
    case "#":
      return headingAt(source, position, context);
    case "-":
      return subtextAt(source, position, context) ?? listAt(source, position, context);
    default:
      return /[ *\d]/.test(source[position]) ? listAt(source, position, context) : null;
  }
}

function quoteAt(source, position, context) {
  if (source.startsWith(">>> ", position)) {
    return block(
      { type: "quote", children: inner(source.slice(position + 4), context, { quote: true, lineStart: true }) },
      source,
      source.length,
    );
  }
  const lines = [];
  let end = position;
  while (source.startsWith("> ", end) || source.startsWith(">\n", end)) {
    const stop = lineEnd(source, end);
    lines.push(source.slice(end + 2, stop));
    end = stop;
    if (!source.startsWith("\n> ", end) && !source.startsWith("\n>\n", end)) break;
    end += 1;
  }
  if (!lines.length) return null;
  return block(
    { type: "quote", children: inner(lines.join("\n"), context, { quote: true, lineStart: true }) },
    source,
    end,
  );
}

function headingAt(source, position, context) {
  const found = match(HEADING, source, position);
  if (!found) return null;
  const node = {
    type: "heading",
    level: found[1].length,
    children: inner(found[2].trim(), context, { lineStart: false }),
  };
  return block(node, source, position + found[0].length);
}

function subtextAt(source, position, context) {
  const found = match(SUBTEXT, source, position);
  if (!found) return null;
  return block(
    { type: "subtext", children: inner(found[1].trim(), context, { lineStart: false }) },
    source,
    position + found[0].length,
  );
}

/** Lists nest by indentation (two blanks or more); a line that is no item ends the list. */
function listAt(source, position, context) {
  const lines = [];
  let end = position;
  while (end < source.length) {
    const stop = lineEnd(source, end);
    const found = LIST_LINE.exec(source.slice(end, stop));
    if (!found) break;
    lines.push({
      indent: found[1].length,
      ordered: found[3] !== undefined,
      start: Number(found[3] ?? 1),
      text: found[4],
    });
    end = Math.min(stop + 1, source.length);
  }
  if (!lines.length) return null;
  return { node: nestList(lines, 0, context).node, end, block: true };
}

function nestList(lines, from, context) {
  const first = lines[from];
  const node = { type: "list", ordered: first.ordered, start: first.start, items: [] };
  let index = from;
  while (index < lines.length && lines[index].indent >= first.indent) {
    if (node.items.length && lines[index].indent > first.indent + 1) {
      const nested = nestList(lines, index, context);
      node.items.at(-1).push(nested.node);
      index = nested.next;
    } else {
      node.items.push(inner(lines[index].text, context, { lineStart: false }));
      index += 1;
    }
  }
  return { node, next: index };
}

function lineEnd(source, position) {
  const end = source.indexOf("\n", position);
  return end < 0 ? source.length : end;
}

function spanAt(source, position, context) {
  switch (source[position]) {
    case "\n":
      return { node: { type: "br" }, end: position + 1 };
    case "\\":
      return ESCAPABLE.test(source[position + 1] ?? "") ? { text: source[position + 1], end: position + 2 } : null;
    case "`":
      return codeBlockAt(source, position) ?? codeAt(source, position);
    case "*":
      return emphasisAt(source, position, context, "**", "strong") ?? emphasisAt(source, position, context, "*", "em");
    case "_":
      return (
        emphasisAt(source, position, context, "__", "underline") ?? emphasisAt(source, position, context, "_", "em")
      );
    case "~":
      return emphasisAt(source, position, context, "~~", "strike");
    case "|":
      return emphasisAt(source, position, context, "||", "spoiler");
    case "<":
      return angledAt(source, position);
    case "[":
      return context.link ? null : maskedLinkAt(source, position, context);
    case "h":
      return context.link ? null : bareUrlAt(source, position);
    case "@":
      return everyoneAt(source, position);
    default:
      return null;
  }
}

function codeBlockAt(source, position) {
  if (!source.startsWith("```", position)) return null;
  const found = match(CODE_BLOCK, source, position);
  return (
    found &&
    block(
      { type: "codeblock", lang: (found[1] ?? "").toLowerCase(), text: found[2] },
      source,
      position + found[0].length,
    )
  );
}

function codeAt(source, position) {
  const end = codeSpanEnd(source, position);
  if (end < 0) return null;
  const marks = runLength(source, position);
  let text = source.slice(position + marks, end - marks);
  if (/^ .*\S.* $/s.test(text) || /^ `|` $/.test(text)) text = text.replace(/^ | $/g, "");
  return { node: { type: "code", text }, end };
}

function runLength(source, position) {
  let end = position;
  while (source[end] === "`") end += 1;
  return end - position;
}

/** The position after a code span that opens here, or -1. */
function codeSpanEnd(source, position) {
  const marks = runLength(source, position);
  const fence = "`".repeat(marks);
  let close = source.indexOf(fence, position + marks);
  while (close >= 0) {
    const length = runLength(source, close);
    if (length === marks) return close > position + marks ? close + marks : -1;
    close = source.indexOf(fence, close + length);
  }
  return -1;
}

function emphasisAt(source, position, context, mark, type) {
  if (!source.startsWith(mark, position)) return null;
  const start = position + mark.length;
  if (mark === "*" && /\s|^$/.test(source[start] ?? "")) return null;
  if (mark.length === 1 && source[start] === mark) return null; // the double mark was tried before
  if (mark === "_" && WORD.test(source[position - 1] ?? "")) return null;
  const close = closingMark(source, start, mark);
  if (close < 0) return null;
  const children = inner(source.slice(start, close), context, type === "spoiler" ? {} : { lineStart: false });
  return { node: { type, children }, end: close + mark.length };
}

/** Where `mark` closes again: past escapes and code, and, of a longer run of the same sign, its end. */
function closingMark(source, start, mark) {
  const sign = mark[0];
  let position = start;
  while (position < source.length) {
    if (source[position] === "\\") position += 2;
    else if (source[position] === "`") {
      const end = codeSpanEnd(source, position);
      position = end < 0 ? position + runLength(source, position) : end;
    } else if (source[position] === sign) {
      let end = position;
      while (source[end] === sign) end += 1;
      const close = closesInRun(source, start, position, end - position, mark);
      if (close >= 0) return close;
      position = end;
    } else position += 1;
  }
  return -1;
}

function closesInRun(source, start, position, length, mark) {
  const close = position + length - mark.length;
  if (length < mark.length || close <= start) return -1;
  if (mark.length === 1 && length % 2 === 0) return -1; // a run of two is a mark of its own
  if (mark === "*" && /\s/.test(source[close - 1])) return -1;
  if (mark === "_" && WORD.test(source[close + 1] ?? "")) return -1;
  return close;
}

function angledAt(source, position) {
  for (const [expression, build] of ANGLED) {
    const found = match(expression, source, position);
    if (found) return { node: build(found), end: position + found[0].length };
  }
  return null;
}

function maskedLinkAt(source, position, context) {
  const found = match(MASKED_LINK, source, position);
  if (!found) return null;
  return {
    node: { type: "link", url: found[2], children: inner(found[1], context, { link: true, lineStart: false }) },
    end: position + found[0].length,
  };
}

function bareUrlAt(source, position) {
  if (WORD.test(source[position - 1] ?? "")) return null;
  const found = match(BARE_URL, source, position);
  if (!found) return null;
  let url = found[0];
  while (url.endsWith(")") && count(url, ")") > count(url, "(")) url = url.slice(0, -1);
  return { node: { type: "link", url, children: [{ type: "text", text: url }] }, end: position + url.length };
}

function count(text, sign) {
  return text.split(sign).length - 1;
}

function everyoneAt(source, position) {
  for (const kind of ["everyone", "here"]) {
    if (source.startsWith(kind, position + 1) && !WORD.test(source[position + 1 + kind.length] ?? "")) {
      return { node: { type: "mention", kind, id: null }, end: position + 1 + kind.length };
    }
  }
  return null;
}
