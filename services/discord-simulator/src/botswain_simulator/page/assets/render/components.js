/**
 * Message components: what a bot lets one press, pick and read. Each press becomes an interaction; while it is under
 * way the control is disabled.
 */

import { displayName } from "../model.js";
import { parse } from "../markdown.js";
import { remotePicture } from "./attachments.js";
import { h, safeUrl } from "./dom.js";
import { icon } from "./icons.js";
import { renderMarkdown } from "./markdown.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "secondary" };

export function renderComponents(message, page) {
  if (!message.components?.length) return null;
  return h(
    "div",
    { class: "components" },
    message.components.map((component) => render(component, message, page)),
  );
}

function render(component, message, page) {
  return BUILDERS[component.type]?.(component, message, page) ?? null;
}

const all = (components, message, page) => (components ?? []).map((component) => render(component, message, page));

const BUILDERS = {
  1: (row, message, page) => h("div", { class: "component-row" }, all(row.components, message, page)),
  2: button,
  3: (select, message, page) => menu(select, select.options ?? [], message, page),
  5: (select, message, page) => menu(select, people(page), message, page),
  6: (select, message, page) => menu(select, roles(page), message, page),
  7: (select, message, page) => menu(select, [...people(page), ...roles(page)], message, page),
  8: (select, message, page) => menu(select, channels(page), message, page),
  9: (section, message, page) =>
    h(
      "div",
      { class: "component-section" },
      h("div", {}, all(section.components, message, page)),
      section.accessory ? render(section.accessory, message, page) : null,
    ),
  10: (text, _, page) => h("div", { class: "component-text" }, renderMarkdown(parse(text.content), page.context())),
  11: (thumbnail, _, page) => remotePicture(thumbnail.media, "embed-thumbnail", thumbnail.description, page),
  12: (gallery, _, page) =>
    h(
      "div",
      { class: "component-gallery" },
      (gallery.items ?? []).map((item) => remotePicture(item.media, "embed-image", item.description, page)),
    ),
  13: (file) =>
    h(
      "a",
      { class: "file-card", href: safeUrl(file.file?.url), target: "_blank", rel: "noopener noreferrer" },
      icon("file", 24),
      h("span", { class: "file-name" }, file.name ?? "file"),
    ),
  14: () => h("hr", { class: "component-separator" }),
  17: (container, message, page) =>
    h(
      "div",
      {
        class: "component-container",
        vars: Number.isInteger(container.accent_color)
          ? { "--embed-colour": `#${container.accent_color.toString(16).padStart(6, "0")}` }
          : {},
      },
      all(container.components, message, page),
    ),
};

function button(component, message, page) {
  const emoji = component.emoji
    ? h("span", { "aria-hidden": "true" }, component.emoji.id ? `:${component.emoji.name}:` : component.emoji.name)
    : null;
  const label = component.label ?? component.emoji?.name ?? "Button";
  if (component.style === 5) {
    return h(
      "a",
      { class: "component-button link", href: safeUrl(component.url), target: "_blank", rel: "noopener noreferrer" },
      emoji,
      component.label,
      icon("external", 14),
    );
  }
  const element = h(
    "button",
    {
      type: "button",
      class: `component-button ${STYLES[component.style] ?? "secondary"}`,
      disabled: component.disabled,
      "aria-label": label,
    },
    emoji,
    component.label,
  );
  element.addEventListener("click", async () => {
    if (element.getAttribute("aria-busy")) return;
    element.setAttribute("aria-busy", "true");
    await page.actions.component(message, component.custom_id);
    element.removeAttribute("aria-busy");
  });
  return element;
}

/** One choice: the browser's own menu. Several: boxes to tick under a summary, sent together. */
function menu(component, options, message, page) {
  const label = component.placeholder || "Make a selection";
  return (component.max_values ?? 1) > 1
    ? severalOf(component, options, label, message, page)
    : oneOf(component, options, label, message, page);
}

function oneOf(component, options, label, message, page) {
  const preset =
    options.find((option) => option.default) ??
    options.find((option) => component.default_values?.some((value) => value.id === option.value));
  const element = h(
    "select",
    { class: "component-select", "aria-label": label, disabled: component.disabled },
    h("option", { value: "", selected: !preset, disabled: true, hidden: true }, label),
    options.map((option) =>
      h("option", { value: option.value, selected: option === preset, title: option.description }, optionText(option)),
    ),
  );
  element.addEventListener("change", async () => {
    element.disabled = true;
    await page.actions.component(message, component.custom_id, [element.value]);
    element.disabled = Boolean(component.disabled);
  });
  return element;
}

function severalOf(component, options, label, message, page) {
  const boxes = options.map((option) => h("input", { type: "checkbox", value: option.value, checked: option.default }));
  const apply = h("button", { type: "submit", class: "component-button primary" }, "Choose");
  const form = h(
    "form",
    { class: "component-choices" },
    options.map((option, index) =>
      h(
        "label",
        {},
        boxes[index],
        h("span", {}, optionText(option), option.description ? h("small", {}, option.description) : null),
      ),
    ),
    apply,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = boxes.filter((box) => box.checked).map((box) => box.value);
    if (values.length < (component.min_values ?? 1) || values.length > component.max_values) {
      page.actions.toast(`Choose between ${component.min_values ?? 1} and ${component.max_values} of them.`);
      return;
    }
    apply.disabled = true;
    await page.actions.component(message, component.custom_id, values);
    apply.disabled = false;
  });
  return h("details", { class: "component-select several" }, h("summary", {}, label), form);
}

function optionText(option) {
  return [option.emoji?.id ? null : option.emoji?.name, option.label].filter(Boolean).join(" ");
}

function people(page) {
  const { state, guildId } = page.context();
  return page.actions.names().users.map((user) => ({ value: user.id, label: displayName(state, user.id, guildId) }));
}

function roles(page) {
  return page.actions.names().roles.map((role) => ({ value: role.id, label: `@${role.name.replace(/^@/, "")}` }));
}

function channels(page) {
  return page.actions.names().channels.map((channel) => ({ value: channel.id, label: `#${channel.name}` }));
}
