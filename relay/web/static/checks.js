// What mail programs make of a captured mail: its size, links, images, and what some of
// them do not show.

import { get } from "./api.js";
import { broken, bytes, h } from "./dom.js";
import { icon } from "./icons.js";

const TITLES = { size: "Size", image: "Images", link: "Links", support: "What mail programs do not show" };

export function checks(mail, content) {
  return content && ["Checks", () => {
    const node = h("div", { class: "panel checks" }, h("p", { class: "soft" }, "Looking …"));
    get(`/api/v1/mails/${encodeURIComponent(mail.id)}/checks`).then(
      (found) => node.replaceChildren(...drawn(found)), (trouble) => node.replaceChildren(broken(trouble)));
    return node;
  }];
}

const figure = (name, ...what) => h("div", {}, h("dt", { class: "soft" }, name), h("dd", {}, what));
const of = (count, word) => `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;

function drawn({ size, html, clippedAt, images, hosts, problems, problemsLeftOut, support }) {
  const kinds = Object.entries(images).filter(([, count]) => count).map(([kind, count]) => `${count.toLocaleString()} ${kind}`);
  const links = hosts.reduce((sum, one) => sum + one.links, 0);
  const share = Math.round((html / clippedAt) * 100);
  const summary = h("dl", { class: "sums" },
    figure("On the wire", bytes(size)),
    html ? figure("HTML", bytes(html), h("meter", { max: clippedAt, high: clippedAt * 0.9, value: html, "aria-label": "Of what Gmail shows" }), h("span", { class: "soft" }, `${share} % of what Gmail shows`)) : figure("HTML", "none: a plain text"),
    figure("Images", kinds.join(", ") || "none"),
    figure("Links", links ? `${of(links, "link")} to ${of(new Set(hosts.map((one) => one.host)).size, "host")}` : "none"));
  const groups = Object.entries(TITLES).map(([kind, title]) => [title, problems.filter((one) => one.kind === kind)]).filter(([, some]) => some.length);
  return [summary,
    hosts.length ? h("details", {}, h("summary", {}, "Where its links lead"), h("ul", {}, hosts.map((one) => h("li", { class: "who" }, `${one.host || "(no host)"} `, h("span", { class: one.secure ? "soft" : "note bad" }, `${one.links.toLocaleString()} ×${one.secure ? "" : ", not encrypted"}`))))) : null,
    ...groups.map(([title, some]) => h("section", {}, h("h3", {}, title), h("ul", { class: "found" }, some.map(({ level, text, line }) => h("li", {},
      level === "error" ? icon("x", "Problem: ") : icon("triangle-alert", "Warning: "), h("span", { class: "who" }, text), line ? h("span", { class: "soft" }, `line ${line}`) : null))))),
    problemsLeftOut ? h("p", { class: "soft" }, `and ${problemsLeftOut} more`) : null,
    groups.length ? null : h("p", { class: "note good" }, icon("check"), " Nothing to mend: programs show all of it."),
    h("p", { class: "soft" }, `What programs show is caniemail's data of ${new Date(`${support}T12:00`).toLocaleDateString(undefined, { dateStyle: "medium" })}.`)].filter(Boolean);
}
