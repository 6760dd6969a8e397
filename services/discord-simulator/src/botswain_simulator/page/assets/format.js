/** Words for times, sizes and names. Pure: the clock and the locale are arguments, so that tests fix them. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function dayKey(date) {
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
}

export function clockTime(date, locale) {
  return date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
}

export function dayLabel(date, now = new Date(), locale = undefined) {
  const full = date.toLocaleDateString(locale, { day: "numeric", month: "long", year: "numeric" });
  if (dayKey(date) === dayKey(now)) return `Today, ${full}`;
  if (dayKey(date) === dayKey(new Date(now.getTime() - DAY))) return `Yesterday, ${full}`;
  return full;
}

/** "14:05" today, "Yesterday 14:05", else the date too. */
export function messageTime(date, now = new Date(), locale = undefined) {
  const time = clockTime(date, locale);
  if (dayKey(date) === dayKey(now)) return time;
  if (dayKey(date) === dayKey(new Date(now.getTime() - DAY))) return `Yesterday ${time}`;
  return `${date.toLocaleDateString(locale, { day: "2-digit", month: "2-digit", year: "numeric" })} ${time}`;
}

export function fullTime(date, locale) {
  return date.toLocaleString(locale, { dateStyle: "full", timeStyle: "medium" });
}

const STAMP_STYLES = {
  t: { hour: "2-digit", minute: "2-digit" },
  T: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  d: { day: "2-digit", month: "2-digit", year: "numeric" },
  D: { day: "numeric", month: "long", year: "numeric" },
  f: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
  F: { weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
  s: { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit" },
  S: { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};

/** A `<t:unix:style>` mark in words; style R is relative to now. */
export function stamp(unix, style, now = new Date(), locale = undefined) {
  const date = new Date(unix * 1000);
  if (Number.isNaN(date.getTime())) return "Invalid date";
  if (style === "R") return relative(date, now, locale);
  return date.toLocaleString(locale, STAMP_STYLES[style] ?? STAMP_STYLES.f);
}

export function relative(date, now = new Date(), locale = undefined) {
  const difference = date.getTime() - now.getTime();
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const units = [
    ["year", 365 * DAY],
    ["month", 30 * DAY],
    ["day", DAY],
    ["hour", HOUR],
    ["minute", MINUTE],
  ];
  for (const [unit, length] of units) {
    if (Math.abs(difference) >= length) return words.format(Math.trunc(difference / length), unit);
  }
  return words.format(Math.trunc(difference / 1000), "second");
}

export function fileSize(bytes) {
  if (!Number.isFinite(bytes) || bytes < 0) return "";
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]}`;
}

export function initials(name) {
  const words = String(name ?? "")
    .trim()
    .split(/[\s_.-]+/u)
    .filter(Boolean);
  if (!words.length) return "?";
  const letters = words.length === 1 ? [...words[0]].slice(0, 2) : [[...words[0]][0], [...words.at(-1)][0]];
  return letters.join("").toUpperCase();
}

/** "Ada is typing…", "Ada and Bo are typing…", "Several people are typing…". */
export function typingSentence(names) {
  if (!names.length) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length <= 3) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)} are typing…`;
  return "Several people are typing…";
}

/** The names under a reaction: "Ada, Bo and 3 more". */
export function nameList(names, most = 8) {
  if (names.length <= 1) return names[0] ?? "";
  if (names.length > most) return `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
