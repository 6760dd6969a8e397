/**
 * Slash commands as one types them: `/remind when:"in 2 h" what:tea`, with subcommands as words: `/deck add name:x`.
 *
 * `flatten` makes one entry per command, subcommand and subcommand of a group; `parseCommand` reads a line into
 * Discord's interaction options; `suggestCommand` tells what may come next.
 */

import { matchRank } from "./model.js";

export const OptionType = {
  SUB: 1,
  GROUP: 2,
  STRING: 3,
  INTEGER: 4,
  BOOLEAN: 5,
  USER: 6,
  CHANNEL: 7,
  ROLE: 8,
  MENTIONABLE: 9,
  NUMBER: 10,
  ATTACHMENT: 11,
};

/** @returns `[{path, description, command, steps: [{name, type}], options}]` of the chat commands (type 1) */
export function flatten(commands) {
  return commands
    .filter((command) => (command.type ?? 1) === 1)
    .flatMap((command) => spread(command, command, command.name, []));
}

function spread(command, node, path, steps) {
  const subs = (node.options ?? []).filter(
    (option) => option.type === OptionType.SUB || option.type === OptionType.GROUP,
  );
  if (subs.length)
    return subs.flatMap((sub) =>
      spread(command, sub, `${path} ${sub.name}`, [...steps, { name: sub.name, type: sub.type }]),
    );
  return [
    { path, description: node.description || command.description || "", command, steps, options: node.options ?? [] },
  ];
}

/** The entry whose path the text starts with, the longest first; null while none is written out. */
export function entryOf(text, entries) {
  const line = text.replace(/^\//, "");
  return (
    entries
      .filter((entry) => line === entry.path || line.startsWith(`${entry.path} `))
      .sort((a, b) => b.path.length - a.path.length)[0] ?? null
  );
}

/**
 * What bots offered for their options, by command and option: a line shows a choice's name, the command wants its value. It outlives
 * the command's object, which is replaced whenever the bot registers its commands anew.
 */
const offered = new Map();
const offersOf = (command, option) => offered.get(`${command.id} ${option.name}`) ?? [];

const ARGUMENT = /([\p{L}\p{N}_-]+):(?:"((?:\\.|[^"\\])*)"|([^\s"]\S*)|(?=\s|$))/gu;

/**
 * `[{name, text, quoted}]` of `name:value` and `name:"a value"`. A bare tail is the value of the only required
 * option.
 */
export function readArguments(text, entry) {
  const rest = text.slice(entry.path.length + 1);
  const written = [...rest.matchAll(ARGUMENT)].filter((found) =>
    entry.options.some((option) => option.name === found[1]),
  );
  if (!written.length && rest.trim() && entry.options.length) {
    const only =
      entry.options.filter((option) => option.required).length === 1
        ? entry.options.find((option) => option.required)
        : entry.options[0];
    return [{ name: only.name, text: rest.trim() }];
  }
  return written.map((found) => ({
    name: found[1],
    text: found[2] !== undefined ? found[2].replace(/\\(.)/g, "$1") : (found[3] ?? ""),
  }));
}

/**
 * The command line as an interaction: `{command, options}`; or `{error}` with a sentence.
 * @param {(type: number, text: string) => string|null} resolve gives the id behind `@ada` or `#general`
 */
export function parseCommand(text, entries, resolve) {
  const entry = entryOf(text, entries);
  if (!entry) return { error: `There is no command ${text.split(" ")[0]} here. Type / to see those there are.` };
  const values = [];
  for (const { name, text: value } of readArguments(text, entry)) {
    const option = entry.options.find((candidate) => candidate.name === name);
    const converted = convert(entry.command, option, value, resolve);
    if (converted.error) return { error: `/${entry.path}: ${converted.error}` };
    values.push({ name, type: option.type, value: converted.value });
  }
  const missing = entry.options.filter(
    (option) => option.required && !values.some((value) => value.name === option.name),
  );
  if (missing.length)
    return { error: `/${entry.path} also needs ${missing.map((option) => `${option.name}:`).join(" and ")}` };
  return { command: entry.command, options: nest(entry, values) };
}

/** Options inside the subcommand, inside its group, that they belong to. */
function nest(entry, values) {
  return entry.steps.reduceRight((inner, step) => [{ name: step.name, type: step.type, options: inner }], values);
}

/** The option whose value is being typed, with the text so far and where it starts; null between options. */
function openOption(text, entry) {
  const found = /(?:^|\s)([\p{L}\p{N}_-]+):("?)([^"\s]*)$/u.exec(text);
  const option = found && entry.options.find((candidate) => candidate.name === found[1]);
  return option ? { option, typed: found[3], start: text.length - found[3].length - found[2].length } : null;
}

/**
 * What to ask the bot when it completes the option being typed itself: `{command, options, option, start}`, else null.
 * `offer` takes the answer.
 */
export function autocompletion(text, entries) {
  const entry = entryOf(text, entries);
  const open = entry && openOption(text, entry);
  if (!open?.option.autocomplete) return null;
  const values = readArguments(text, entry).map(({ name, text: value }) => ({
    name,
    type: entry.options.find((option) => option.name === name).type,
    value,
    ...(name === open.option.name ? { focused: true } : {}),
  }));
  return { command: entry.command, options: nest(entry, values), option: open.option, start: open.start };
}

/** The bot's choices as suggestions; remembered, so that `parseCommand` finds their values. */
export function offer({ command, option, start }, choices) {
  offered.set(`${command.id} ${option.name}`, [...offersOf(command, option), ...choices]);
  return choices.map((choice) => ({
    insert: `${quote(choice.name)} `,
    label: choice.name,
    detail: option.name,
    start,
  }));
}

function convert(command, option, text, resolve) {
  const choice = [...(option.choices ?? []), ...offersOf(command, option)].find(
    (candidate) => candidate.name.toLowerCase() === text.toLowerCase() || String(candidate.value) === text,
  );
  if (choice) return { value: choice.value };
  if (option.choices?.length)
    return {
      error: `${option.name} must be one of ${option.choices.map((candidate) => candidate.name).join(", ")}, not "${text}".`,
    };
  switch (option.type) {
    case OptionType.INTEGER:
      return /^[+-]?\d+$/.test(text)
        ? { value: Number(text) }
        : { error: `${option.name} must be a whole number, not "${text}".` };
    case OptionType.NUMBER:
      return text.trim() && Number.isFinite(Number(text))
        ? { value: Number(text) }
        : { error: `${option.name} must be a number, not "${text}".` };
    case OptionType.BOOLEAN:
      return /^(true|yes|on|1)$/i.test(text)
        ? { value: true }
        : /^(false|no|off|0)$/i.test(text)
          ? { value: false }
          : { error: `${option.name} must be true or false, not "${text}".` };
    case OptionType.USER:
    case OptionType.CHANNEL:
    case OptionType.ROLE:
    case OptionType.MENTIONABLE: {
      const id = resolve(option.type, text);
      return id ? { value: id } : { error: `${option.name}: nobody and nothing here is called "${text}".` };
    }
    case OptionType.ATTACHMENT:
      return { error: `${option.name} takes a file, which the simulator's commands can't carry yet.` };
    default:
      return { value: text };
  }
}

/** What may come next: `[{insert, label, detail, start}]`; `start` is where the insertion begins. */
export function suggestCommand(text, entries, most = 10) {
  const entry = entryOf(text, entries);
  if (!entry || text === `/${entry.path}`) {
    const query = text.slice(1);
    const rank = (candidate) =>
      candidate.path.toLowerCase().startsWith(query.toLowerCase()) ? 0 : matchRank(candidate.path, query);
    return entries
      .map((candidate) => ({ candidate, rank: rank(candidate) }))
      .filter((item) => item.rank >= 0)
      .sort((a, b) => a.rank - b.rank || a.candidate.path.localeCompare(b.candidate.path))
      .slice(0, most)
      .map(({ candidate }) => ({
        insert: `/${candidate.path}${candidate.options.length ? " " : ""}`,
        label: `/${candidate.path}`,
        detail: candidate.description,
        start: 0,
        bot: candidate.command.application_id,
      }));
  }
  return suggestOption(text, entry).slice(0, most);
}

function suggestOption(text, entry) {
  const open = openOption(text, entry);
  if (open) {
    const { option, typed, start } = open;
    const choices =
      option.choices?.map((choice) => choice.name) ?? (option.type === OptionType.BOOLEAN ? ["true", "false"] : []);
    return choices
      .filter((name) => matchRank(name, typed) >= 0)
      .map((name) => ({
        insert: `${quote(name)} `,
        label: name,
        detail: `${option.name}: ${option.description ?? ""}`,
        start,
      }));
  }
  const word = /\s([\p{L}\p{N}_-]*)$/u.exec(text);
  if (!word) return [];
  const used = readArguments(text, entry).map((argument) => argument.name);
  return entry.options
    .filter(
      (candidate) =>
        (!used.includes(candidate.name) || !text.includes(`${candidate.name}:`)) &&
        candidate.name.startsWith(word[1].toLowerCase()),
    )
    .map((candidate) => ({
      insert: `${candidate.name}:`,
      label: `${candidate.name}:`,
      detail: `${candidate.description ?? ""}${candidate.required ? " · required" : ""}`,
      start: text.length - word[1].length,
    }));
}

function quote(text) {
  return /\s/.test(text) ? `"${text}"` : text;
}

/** "/remind when: [what:]" with the optional ones in brackets. */
export function usage(entry) {
  return [
    `/${entry.path}`,
    ...entry.options.map((option) => (option.required ? `${option.name}:` : `[${option.name}:]`)),
  ].join(" ");
}
