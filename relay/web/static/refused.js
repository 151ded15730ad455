// Why a mail was refused, was given up or waits: the reason, the header that is wrong as
// its client wrote it, and what to copy.

import { copier, h } from "./dom.js";
import { icon } from "./icons.js";

const TITLES = { refused: "Why it was refused", failed: "Why it was given up", queued: "Why it waits", dropped: "Why it was dropped" };

let made = {}; // what one selects in it stays, however often the mail is drawn anew

export function refused(mail) {
  if (!mail.why) return null;
  const all = JSON.stringify([mail.id, mail.state, mail.why]);
  if (made.all !== all) made = { all, node: drawn(mail, mail.why) };
  return made.node;
}

function drawn(mail, why) {
  const calm = mail.state === "queued" || mail.state === "dropped";
  return h("section", { class: `why${calm ? " calm" : ""}`, "aria-label": TITLES[mail.state] },
    h("h2", {}, icon(calm ? "clock" : "ban"), ` ${TITLES[mail.state]}`),
    h("p", {}, why.what),
    why.wrong.length || why.lacks ? came(mail, why) : null,
    why.fixes.map((fix) => h("div", { class: "fix" },
      h("div", { class: "row spread" }, h("strong", {}, fix.what), copier(fix.text, "it")),
      h("pre", { tabIndex: 0 }, fix.text))));
}

function came(mail, { wrong, lacks, at }) {
  const wrongs = new Set(wrong);
  const kept = mail.headers.filter(([, value]) => value).length > 1;
  const rows = mail.headers.map(([name, value], place) => h("li", { class: wrongs.has(place) ? "wrong" : "" },
    wrongs.has(place) ? icon("x", "Wrong: ") : null,
    h("b", {}, `${name}: `), wrongs.has(place) && at && value ? marked(value, at) : value || h("span", { class: "soft" }, kept ? "" : "…")));
  if (lacks) rows.push(h("li", { class: "lacks" }, icon("arrow-right", "Missing: "), h("b", {}, `${lacks}: …`), h("span", { class: "soft" }, " is missing")));
  if (mail.headersLeftOut) rows.push(h("li", { class: "soft" }, `and ${mail.headersLeftOut} more`));
  const list = h("ol", { class: "came", role: "list", tabIndex: 0, "aria-label": "Its headers as its client wrote them", dir: "auto" }, rows);
  // What matters is in sight, however much stands above it.
  requestAnimationFrame(() => {
    const first = list.querySelector(".wrong, .lacks");
    list.scrollTop = first.offsetTop - list.offsetTop - list.clientHeight / 2;
  });
  return h("div", {}, list, kept ? null
    : h("p", { class: "soft" }, "Values are not kept where mail is sent."));
}

// The one character at which it breaks; past its end stands a gap.
const marked = (value, at) => [value.slice(0, at - 1), h("mark", {}, value[at - 1] ?? "\u00a0"), value.slice(at)];
