/**
 * Faces and tags. A picture that doesn't load (or that nobody has) becomes initials on a colour that follows from the
 * id.
 */

import { initials } from "../format.js";
import { userName } from "../model.js";
import { h, safeUrl } from "./dom.js";

const HUES = 8;

export function avatar(user, size = 40) {
  const url = safeUrl(user?.avatar_url);
  const box = h("span", { class: `avatar avatar-${size} hue-${hueOf(user?.id)}`, "aria-hidden": "true" });
  if (!url) box.append(initials(userName(user)));
  else {
    const image = h("img", { src: url, alt: "", width: size, height: size, loading: "lazy", draggable: "false" });
    image.addEventListener("error", () => box.replaceChildren(initials(userName(user))), { once: true });
    box.append(image);
  }
  return box;
}

function hueOf(id) {
  return [...String(id ?? "0")].reduce((sum, digit) => (sum * 7 + Number(digit || 0)) % 997, 3) % HUES;
}

export function botTag(message) {
  return h("span", { class: "bot-tag" }, message?.webhook_id && !message.application_id ? "Webhook" : "Bot");
}
