// What people want of a mail at once: its code and its links to copy, its files.

import { bytes, copied, h } from "./dom.js";
import { icon } from "./icons.js";

const [LINKS, FILES] = [3, 6]; // how many are seen at once

// A button that copies, and says so for a moment.
export function copy(text, what, ...shown) {
  const sign = h("span", { class: "done" }, icon("copy"));
  const said = h("span", { class: "skip", role: "status" });
  let timer = 0;
  return h("button", { class: "chip", title: `Copy the ${what}`, onclick: async () => {
    const done = await copied(text);
    sign.replaceChildren(icon(done ? "check" : "x"));
    said.textContent = done ? "Copied" : "It cannot be copied here";
    clearTimeout(timer);
    timer = setTimeout(() => { sign.replaceChildren(icon("copy")); said.textContent = ""; }, 2000);
  } }, shown, sign, said);
}

function link(address) {
  const plain = address.replace(/^(?:https?:\/\/|mailto:)/i, "");
  return h("span", { class: "pair" },
    copy(address, "link", icon("link"), h("span", { class: "cut" }, plain)),
    h("a", { class: "chip", href: `/leave?to=${encodeURIComponent(address)}`, target: "_blank", rel: "noopener noreferrer", title: `Open ${address.slice(0, 300)}` }, icon("external-link", "Open it")));
}

export function chips(content) {
  const { code, links } = content;
  if (!code && !links.length) return null;
  return h("div", { class: "chips", role: "group", "aria-label": "Code and links" },
    code && copy(code, "code", icon("key-round"), h("strong", { class: "mono" }, code)),
    links.slice(0, LINKS).map(link),
    links.length > LINKS && h("span", { class: "soft" }, `and ${links.length - LINKS} more in Text`));
}

function file(mail, one, number) {
  const name = one.name || `attachment-${number}`;
  const seen = `/view/${mail}/attachments/${number}`;
  const about = h("span", { class: "about" }, h("span", { class: "cut", dir: "auto" }, name), h("span", { class: "soft" }, `${one.type}, ${bytes(one.size)}`));
  const sign = one.shown === "image" ? h("img", { class: "thumb", src: seen, alt: "", loading: "lazy" }) : icon("file");
  const take = h("a", { class: "chip", href: `/api/v1/mails/${mail}/attachments/${number}`, download: name, title: `Download ${name}` }, icon("download", `Download ${name}`));
  if (!one.shown) return h("li", { class: "file" }, h("div", { class: "row" }, sign, about), take);
  const inside = h("div", { class: "inside" });
  const look = async () => {
    if (inside.firstChild) return;
    if (one.shown === "image") inside.append(h("img", { src: seen, alt: `What ${name} shows` }));
    else inside.append(h("pre", { dir: "auto", tabIndex: 0 }, await fetch(seen).then((answer) => answer.text(), (trouble) => trouble.message)));
  };
  return h("li", { class: "file" }, h("details", { ontoggle: look }, h("summary", {}, sign, about), inside), take);
}

export function files(mail, attachments) {
  if (!attachments.length) return null;
  const all = attachments.map((one, index) => file(mail, one, index + 1));
  const list = (some) => h("ul", { class: "files" }, some);
  return h("section", { "aria-label": "Attachments" }, list(all.slice(0, FILES)),
    all.length > FILES && h("details", {}, h("summary", {}, `${all.length - FILES} more attachments`), list(all.slice(FILES))));
}
