/**
 * Attachments: pictures, sound and film where the browser can show them, any other file as a card with its name and
 * size.
 */

import { fileSize } from "../format.js";
import { h, safeUrl } from "./dom.js";
import { icon } from "./icons.js";

export function renderAttachments(attachments, page) {
  if (!attachments?.length) return null;
  return h(
    "div",
    { class: "attachments" },
    attachments.map((attachment) => renderAttachment(attachment, page)),
  );
}

function renderAttachment(attachment, page) {
  const url = safeUrl(attachment.url);
  const kind = (attachment.content_type ?? "").split("/")[0] || guessKind(attachment.filename);
  if (!url) return fileCard(attachment, null);
  if (kind === "image") return picture(attachment, url, page);
  if (kind === "video")
    return h("video", {
      class: "attachment-media",
      src: url,
      controls: true,
      preload: "metadata",
      "aria-label": attachment.filename,
    });
  if (kind === "audio")
    return h(
      "div",
      { class: "attachment-audio" },
      fileCard(attachment, url),
      h("audio", { src: url, controls: true, preload: "none", "aria-label": attachment.filename }),
    );
  return fileCard(attachment, url);
}

function guessKind(filename) {
  return /\.(png|jpe?g|gif|webp|avif|svg)$/i.test(filename ?? "") ? "image" : "";
}

/**
 * A picture keeps its place by its known size, so that nothing jumps when it arrives; hidden behind a click when
 * marked as spoiler.
 */
function picture(attachment, url, page) {
  const alt = attachment.description || attachment.filename;
  const image = h("img", {
    src: url,
    alt,
    loading: "lazy",
    width: attachment.width || null,
    height: attachment.height || null,
  });
  const link = h(
    "a",
    {
      class: "attachment-image",
      href: url,
      target: "_blank",
      rel: "noopener noreferrer",
      "aria-label": `Open the picture ${alt}`,
    },
    image,
  );
  image.addEventListener("error", () => link.replaceWith(fileCard(attachment, url)), { once: true });
  const hidden = attachment.filename?.startsWith("SPOILER_");
  if (hidden) link.classList.add("is-spoiler");
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.classList.contains("is-spoiler")) link.classList.remove("is-spoiler");
    else page.showImage(url, alt);
  });
  return link;
}

function fileCard(attachment, url) {
  const body = [
    icon("file", 28),
    h(
      "span",
      { class: "file-text" },
      h("span", { class: "file-name" }, attachment.filename || "file"),
      h("span", { class: "file-size" }, fileSize(attachment.size)),
    ),
  ];
  if (!url) return h("span", { class: "file-card" }, body);
  return h(
    "a",
    {
      class: "file-card",
      href: url,
      download: attachment.filename || "",
      target: "_blank",
      rel: "noopener noreferrer",
    },
    body,
  );
}

/**
 * A picture a message points to from elsewhere. The page loads nothing from other hosts, so a foreign one becomes its
 * link.
 */
export function remotePicture(media, className, alt, page) {
  const url = safeUrl(media?.proxy_url || media?.url);
  if (!url) return null;
  const image = h("img", {
    class: className,
    src: url,
    alt: alt ?? media.description ?? "",
    loading: "lazy",
    width: media.width || null,
    height: media.height || null,
  });
  image.addEventListener(
    "error",
    () =>
      image.replaceWith(
        h(
          "a",
          { class: "md-link embed-picture-link", href: url, target: "_blank", rel: "noopener noreferrer" },
          icon("external", 14),
          " ",
          shortUrl(url),
        ),
      ),
    { once: true },
  );
  image.addEventListener("click", () => page.showImage(url, alt ?? ""));
  return image;
}

function shortUrl(url) {
  return url.replace(/^https?:\/\//, "").slice(0, 60);
}
