/** The page's line icons, drawn for it: 24 × 24, one stroke. */

import { svg } from "./dom.js";

const PATHS = {
  hash: "M5 9h15M4 15h15M10 4 8 20M16 4l-2 16",
  thread: "M5 5v7a4 4 0 0 0 4 4h10M15 12l4 4-4 4",
  at: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Zm0 0v1.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-3.6 7.2",
  menu: "M4 7h16M4 12h16M4 17h16",
  members:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.2a6.5 6.5 0 0 1 3.5 5.8",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  sun: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  help: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1 1-1.1 1.8M12 17v.1",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 14.5a4.2 4.2 0 0 0 7 0M9 9.5v.1M15 9.5v.1",
  reply: "M9 7 4 12l5 5M4 12h9a7 7 0 0 1 7 7",
  pencil: "M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19l-4 1Z",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  copy: "M8 8h12v12H8zM16 8V4H4v12h4",
  plus: "M12 5v14M5 12h14",
  attach: "M12 8v8M8 12h8M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  send: "M4 12 20 4l-5 16-3.5-6.5L4 12Zm7.5 1.5L20 4",
  file: "M14 3H6v18h12V7l-4-4ZM14 3v4h4M9 13h6M9 17h4",
  close: "M6 6l12 12M18 6 6 18",
  down: "M6 9l6 6 6-6",
  arrowDown: "M12 5v14M6 13l6 6 6-6",
  warn: "M12 4 2.5 20h19L12 4ZM12 10v4M12 17v.1",
  refresh: "M20 11a8 8 0 0 0-14.5-3.5L4 9M4 4v5h5M4 13a8 8 0 0 0 14.5 3.5L20 15M20 20v-5h-5",
  join: "M4 12h12M11 7l5 5-5 5M20 5v14",
  pin: "M9 4h6l-1 6 3 3v2H7v-2l3-3-1-6ZM12 15v6",
  external: "M14 5h5v5M19 5l-9 9M17 14v5H5V7h5",
  people: "M12 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM5 20a7 7 0 0 1 14 0",
};

export function icon(name, size = 20) {
  return svg(
    "svg",
    {
      viewBox: "0 0 24 24",
      width: size,
      height: size,
      "aria-hidden": "true",
      class: "icon",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.8,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    },
    svg("path", { d: PATHS[name] }),
  );
}

/** The simulator's mark: a boatswain's pipe, seen from the side. */
export function mark(size = 28) {
  return svg(
    "svg",
    {
      viewBox: "0 0 32 32",
      width: size,
      height: size,
      "aria-hidden": "true",
      class: "mark",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 2.2,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    },
    svg("path", { d: "M4 11.5h13.5" }),
    svg("circle", { cx: 21.5, cy: 12.5, r: 4.5 }),
    svg("path", { d: "M6 11.5v5.5c0 4 3 6.500 7 6.500h4" }),
    svg("path", { d: "M24 3.500l1.500-1M27 6.500l2-.5" }),
    svg("circle", { cx: 21.5, cy: 12.5, r: 0.6, fill: "currentColor" }),
  );
}
