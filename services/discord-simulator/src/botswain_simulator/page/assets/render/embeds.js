/** Embeds, in the order Discord lays them out: provider, author, title, description, fields, picture, footer. */

import { messageTime } from "../format.js";
import { parse } from "../markdown.js";
import { remotePicture } from "./attachments.js";
import { h, safeUrl } from "./dom.js";
import { renderMarkdown } from "./markdown.js";

export function renderEmbeds(embeds, page) {
  if (!embeds?.length) return null;
  return h(
    "div",
    { class: "embeds" },
    embeds.map((embed) => renderEmbed(embed, page)),
  );
}

function renderEmbed(embed, page) {
  const text = (source) => renderMarkdown(parse(source), page.context());
  const colour = Number.isInteger(embed.color) ? `#${embed.color.toString(16).padStart(6, "0")}` : null;
  return h(
    "article",
    {
      class: "embed",
      vars: colour ? { "--embed-colour": colour } : {},
      "aria-label": embed.title ? `Embed: ${embed.title}` : "Embed",
    },
    h(
      "div",
      { class: "embed-main" },
      embed.provider?.name
        ? h("div", { class: "embed-provider" }, linked(embed.provider.name, embed.provider.url))
        : null,
      embed.author?.name
        ? h("div", { class: "embed-author" }, small(embed.author), linked(embed.author.name, embed.author.url))
        : null,
      embed.title
        ? h("div", { class: "embed-title" }, embed.url ? linked(embed.title, embed.url) : text(embed.title))
        : null,
      embed.description ? h("div", { class: "embed-description" }, text(embed.description)) : null,
      embed.fields?.length
        ? h(
            "dl",
            { class: "embed-fields" },
            embed.fields.map((field) =>
              h(
                "div",
                { class: field.inline ? "embed-field inline" : "embed-field" },
                h("dt", {}, text(field.name)),
                h("dd", {}, text(field.value)),
              ),
            ),
          )
        : null,
      embed.image ? remotePicture(embed.image, "embed-image", embed.title, page) : null,
      footer(embed),
    ),
    embed.thumbnail ? remotePicture(embed.thumbnail, "embed-thumbnail", "", page) : null,
  );
}

function linked(text, address) {
  const url = safeUrl(address);
  return url
    ? h("a", { class: "md-link", href: url, target: "_blank", rel: "noopener noreferrer" }, text)
    : h("span", {}, text);
}

function small(part) {
  const url = safeUrl(part.proxy_icon_url || part.icon_url);
  if (!url) return null;
  const image = h("img", { class: "embed-icon", src: url, alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.remove(), { once: true });
  return image;
}

function footer(embed) {
  const date = embed.timestamp ? new Date(embed.timestamp) : null;
  const parts = [embed.footer?.text, date && !Number.isNaN(date.getTime()) ? messageTime(date) : null].filter(Boolean);
  return parts.length ? h("div", { class: "embed-footer" }, small(embed.footer ?? {}), parts.join(" · ")) : null;
}
