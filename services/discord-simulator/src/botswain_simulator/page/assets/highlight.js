/**
 * A little colour for code blocks: comments, strings, numbers, keywords, calls. One rough lexer for the common
 * languages instead of a library, because a chat needs a hint, not a parse. Pure: `highlight(text, language)` gives
 * `[[kind | null, text]]` whose texts joined are the input.
 */

const KEYWORDS = new Set(
  `abstract and as async await bool boolean break case catch char class const continue def default del do double elif else end enum esac except export extends false False fi final finally float fn for
   from func function global go if impl implements import in int interface is lambda let long loop match mod module mut new nil None nonlocal not null of or package pass private protected pub public raise
   return select self Self SELECT FROM WHERE INSERT INTO VALUES UPDATE SET DELETE CREATE TABLE JOIN ORDER BY GROUP LIMIT short static str string struct super switch then this throw trait true True try type typeof
   undefined unsafe use var void where while with yield`.split(/\s+/),
);

const FAMILIES = [
  {
    names: [
      "py",
      "python",
      "rb",
      "ruby",
      "sh",
      "bash",
      "shell",
      "zsh",
      "console",
      "yaml",
      "yml",
      "toml",
      "ini",
      "conf",
      "dockerfile",
      "docker",
      "makefile",
      "make",
      "perl",
      "r",
    ],
    comment: "#[^\\n]*",
  },
  {
    names: [
      "js",
      "javascript",
      "jsx",
      "ts",
      "typescript",
      "tsx",
      "mjs",
      "java",
      "c",
      "cpp",
      "c++",
      "cs",
      "csharp",
      "go",
      "rs",
      "rust",
      "swift",
      "kotlin",
      "kt",
      "php",
      "proto",
      "scala",
      "dart",
      "css",
      "scss",
      "json",
      "json5",
      "jsonc",
    ],
    comment: "\\/\\/[^\\n]*|\\/\\*[^]*?(?:\\*\\/|$)",
  },
  { names: ["sql", "lua", "haskell", "hs"], comment: "--[^\\n]*" },
];
const STRING = '"""[^]*?(?:"""|$)|"(?:\\\\.|[^"\\\\\\n])*"?|\'(?:\\\\.|[^\'\\\\\\n])*\'?|`(?:\\\\.|[^`\\\\])*`?';
const NUMBER = "\\b(?:0[xX][0-9a-fA-F_]+|\\d[\\d_]*(?:\\.\\d+)?(?:[eE][+-]?\\d+)?)\\b";
const WORD = "[\\p{L}_$][\\p{L}\\p{N}_$]*";

const LEXERS = new Map(
  FAMILIES.flatMap(({ names, comment }) =>
    names.map((name) => [name, new RegExp(`(${comment})|(${STRING})|(${NUMBER})|(${WORD})`, "gu")]),
  ),
);

export function highlight(text, language) {
  if (language === "diff") return diff(text);
  const lexer = LEXERS.get(language);
  if (!lexer) return [[null, text]];
  const tokens = [];
  let end = 0;
  for (const found of text.matchAll(lexer)) {
    if (found.index > end) tokens.push([null, text.slice(end, found.index)]);
    end = found.index + found[0].length;
    tokens.push([kindOf(found, text, end), found[0]]);
  }
  if (end < text.length) tokens.push([null, text.slice(end)]);
  return tokens;
}

function kindOf([, comment, string, number, word], text, end) {
  if (comment !== undefined) return "comment";
  if (string !== undefined) return /^\s*:/.test(text.slice(end, end + 4)) ? "key" : "string";
  if (number !== undefined) return "number";
  if (KEYWORDS.has(word)) return "keyword";
  return text[end] === "(" ? "call" : null;
}

function diff(text) {
  return text.split(/(?<=\n)/).map((line) => [{ "+": "added", "-": "removed", "@": "comment" }[line[0]] ?? null, line]);
}
