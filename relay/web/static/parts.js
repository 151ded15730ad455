// The parts of a mail, a tab each: as people see it, as it travels, what SES was asked.

import { get } from "./api.js";
import { h } from "./dom.js";
import { framed } from "./frame.js";
import { icon } from "./icons.js";
import * as source from "./source.js";

const text = (content) => h("pre", { dir: "auto", tabIndex: 0 }, content);

const fields = (headers) => h("div", { class: "boxed", tabIndex: 0 }, h("table", {}, h("tbody", {}, headers.map(([name, value]) => h("tr", {},
  h("th", { scope: "row", class: "tight" }, name), h("td", { dir: "auto" }, value))))));

// Of mail that is sent only the names are kept.
const names = (headers) => h("div", { class: "panel" }, h("p", { class: "soft" }, "It came with these headers; their values are not kept where mail is sent."),
  h("ul", { class: "row" }, headers.map(([name]) => h("li", { class: "gap" }, name))));

// `frame` makes a frame for it; else its text is shown.
async function original(id, frame) {
  const found = await get(`/api/v1/mails/${id}/original`).catch((trouble) => ({ subject: "", text: trouble.message, html: null }));
  return h("div", { class: "panel" }, found.subject && h("p", { class: "who", dir: "auto" }, h("span", { class: "soft" }, "Subject "), found.subject),
    frame && found.html !== null ? frame(`/view/${id}/original`, "The mail as its client wrote it") : text(found.text));
}

// A mail without HTML has what its client wrote beside its text.
function sided(node, id) {
  const other = h("figure", { class: "other" }, h("figcaption", {}, "As its client wrote it"));
  original(id).then((made) => other.append(made));
  return h("div", { class: "sides" }, node, other);
}

export function parts(mail, content, captures) {
  const all = [];
  const here = `/api/v1/mails/${mail.id}`;
  if (content) {
    const written = content.original && { Original: ["As its client wrote it", (frame) => original(mail.id, frame)] };
    if (content.html !== null) all.push(["Mail", () => framed(`/view/${mail.id}`, {
      remote: content.remote, title: "The mail's HTML", beside: { Text: ["Its text", () => text(content.text)], ...written },
    })]);
    all.push(["Text", () => h("div", { class: "panel" }, content.html === null && written ? sided(text(content.text), mail.id) : text(content.text),
      content.links.length ? h("div", {}, h("h3", {}, "Links"), h("ul", {}, content.links.slice(0, 50).map((link) => h("li", { class: "who" }, h("a", { href: link, target: "_blank", rel: "noopener noreferrer nofollow" }, link))))) : null)]);
    if (content.html !== null) all.push(["HTML", () => source.source(`${here}/html`, source.html)]);
    all.push(["Headers", () => fields(content.headers)]);
    all.push(["Raw", () => source.source(`${here}/raw`, source.mail,
      h("a", { class: "chip", href: `${here}/raw`, download: `${mail.id}.eml` }, icon("download"), "Download as .eml"))]);
  } else if (mail.headers.length) all.push(["Headers", () => (captures ? fields : names)(mail.headers)]);
  if (mail.parameters.length) all.push(["SendEmail", () => h("pre", { tabIndex: 0 }, JSON.stringify(mail.parameters.length === 1 ? mail.parameters[0] : mail.parameters, null, 2))]);
  return all;
}
