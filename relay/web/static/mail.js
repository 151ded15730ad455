// One mail beside the list: its head, its story, its parts, or a rule that is made for it.

import { get, remove } from "./api.js";
import { checks } from "./checks.js";
import { chips, files } from "./chips.js";
import { arrange, ask, h, standing, stateOf, tabs } from "./dom.js";
import { forward } from "./forward.js";
import { icon } from "./icons.js";
import { parts } from "./parts.js";
import { refused } from "./refused.js";
import { steps } from "./story.js";
import { plain, subject } from "./withheld.js";

// What else is said of a mail, each by a module of its own.
// Above its story: (mail, context) => a node, or null where there is nothing to say.
const SAID = [refused, forward];
// Beside its parts: (mail, content, context) => [name, () => node] of a tab, or null;
// `content` is null where it is not kept.
const TABS = [checks];

// `near(step)` is the id of the mail above (-1) or below (1) in the list, "" for none;
// `go(id)` shows another one, "" none.
export function mail(detail, { context, captures, tab, onTab, near, go }) {
  let current = "";
  let making = false;
  let told = {}; // what is shown of it
  let known = null; // its story
  let timer = 0;

  const step = (by, name, sign) => h("button", { class: "quiet", title: name, onclick: () => go(near(by)) }, icon(sign, name));
  const [newer, older] = [step(-1, "Newer mail (k)", "chevron-up"), step(1, "Older mail (j)", "chevron-down")];
  const bin = h("button", { class: "quiet", title: "Delete this mail (#)", hidden: true, onclick: forget }, icon("trash-2", "Delete this mail"));
  const back = h("a", { class: "back says", href: "/mails" }, icon("arrow-left"), "All mails");
  const rule = h("a", { class: "chip", hidden: true }, icon("wand-sparkles"), "Make a rule");
  const bar = h("div", { class: "tools row" }, back, rule, h("span", { class: "apart" }), newer, older, bin);
  const body = h("div");

  function show(id, rule) {
    current = id;
    making = rule;
    placed();
    return tell();
  }

  // The list has changed, or what is chosen in it.
  function placed() {
    newer.disabled = !near(-1);
    older.disabled = !near(1);
    back.href = `/mails${location.search}`;
  }

  function put(node) {
    bar.hidden = making;
    body.replaceChildren(node);
    if (!bar.isConnected) detail.replaceChildren(bar, body);
  }

  const say = (text) => put(h("div", { class: "inner" }, making && h("a", { class: "says", href: `/mails/${current}` }, icon("arrow-left"), "The mail"), h("p", { role: "alert" }, text)));

  async function forget() {
    if (!mayForget()) return;
    const mine = current;
    const after = near(1) || near(-1);
    if (!await ask("Delete this mail?", `${known.subject || "It"} is forgotten, with its story.`, "Delete")) return;
    try {
      await remove(`/api/v1/mails/${encodeURIComponent(mine)}`);
      if (mine === current) go(after);
    } catch (trouble) {
      body.prepend(h("div", { class: "notice bad", role: "alert" }, trouble.message));
    }
  }

  const mayForget = () => Boolean(known && !making && context.status?.mayWrite
    && (captures() ? !["queued", "sending"].includes(known.state) : known.state === "captured"));

  async function tell() {
    clearTimeout(timer);
    timer = 0;
    if (!current) {
      delete detail.dataset.rule;
      told = {};
      known = null;
      detail.replaceChildren();
      return;
    }
    const mine = current;
    const wasMaking = making;
    // A form that one fills in is not drawn anew for what happens meanwhile, nor made
    // twice when two ask for it at once.
    if (making && detail.dataset.rule === mine) return;
    if (making) detail.dataset.rule = mine;
    else delete detail.dataset.rule;
    let found;
    try {
      found = await get(`/api/v1/mails/${encodeURIComponent(mine)}`);
    } catch (trouble) {
      if (mine === current) {
        delete detail.dataset.rule;
        told = {};
        known = null;
        bin.hidden = rule.hidden = true;
        say(trouble.message);
      }
      return;
    }
    let content = null;
    const kept = captures() || found.calls.some((call) => call.state === "captured");
    if (kept) content = await get(`/api/v1/mails/${encodeURIComponent(mine)}/content`).catch(() => null);
    if (mine !== current || wasMaking !== making) return;
    known = found;
    bin.hidden = !mayForget();
    rule.hidden = Boolean(found.usage || !content || !captures());
    rule.href = `/mails/${found.id}/rule${location.search}`;
    if (making) {
      const form = content ? await (await import("./rule.js")).maker(found, content).catch((trouble) => trouble.message) : "Its content is not kept, or no longer";
      if (mine !== current || !making) return;
      told = {};
      if (typeof form === "string") say(form);
      else put(form);
      detail.scrollTop = 0;
      document.title = `A rule for ${found.subject || found.id} – ses-relay`;
      return;
    }
    draw(found, content);
  }

  // Only what differs is made anew: a frame that one reads in is not.
  function draw(found, content) {
    const same = told.id === found.id;
    const parted = JSON.stringify([found.parameters, content, location.search]);
    const all = JSON.stringify([{ ...found, rev: 0 }, captures()]);
    if (same && told.parted === parted && told.all === all) return;
    const before = same ? body.querySelector(".tabbed") : null;
    const scroll = same ? detail.scrollTop : 0;
    const made = page(found, content, { context, captures, tab: tab(), onTab });
    if (before && told.parted === parted) {
      const wanted = [...made.children].map((one) => (one.classList.contains("tabbed") ? before : one));
      arrange(body.querySelector(".inner"), wanted);
    } else put(made);
    bar.hidden = false;
    told = { id: found.id, parted, all };
    detail.scrollTop = scroll;
    document.title = `${plain(content?.subject || found.subject || found.id)} – ses-relay`;
  }

  return {
    show,
    placed,
    forget,
    // At most one question a second, however much happens.
    retell() {
      if (current && !making) timer ||= setTimeout(tell, 1000);
    },
    close() { clearTimeout(timer); },
  };
}

// At most so many names; all of them are in the headers.
const several = (all) => `${all.slice(0, 20).join(", ")}${all.length > 20 ? ` and ${all.length - 20} more` : ""}`;

function page(mail, content, { context, captures, tab, onTab }) {
  const panels = [...parts(mail, content, captures()), ...TABS.map((one) => one(mail, content, context)).filter(Boolean)];
  const tabbed = panels.length ? tabs("Parts of the mail", panels, panels.findIndex(([name]) => name === tab), (index) => onTab(index ? panels[index][0] : "")) : h("p", { class: "soft" }, "Nothing was asked of SES.");
  tabbed.classList.add("tabbed");
  const words = content?.subject || mail.subject;
  return h("div", { class: "inner" },
    h("div", { class: "head" }, h("div", { class: "row spread top" },
      words ? h("h1", { dir: "auto", title: plain(words) }, captures() || content ? words : subject(words))
        : h("h1", { class: "soft" }, captures() || content ? "(no subject)" : "A mail whose subject is not kept"), stateOf(standing(mail), "big")),
    h("dl", { class: "parties" },
      h("dt", { class: "soft" }, "From"), h("dd", { class: "who" }, mail.sender ?? "<>"),
      h("dt", { class: "soft" }, "To"), h("dd", { class: "who" }, several(mail.to)))),
    content && chips(content),
    content && files(mail.id, content.attachments),
    SAID.map((one) => one(mail, context)),
    h("ol", { class: "story", "aria-label": "Story" }, steps(mail, captures)),
    !captures() && !content && h("p", { class: "soft withheld" }, icon("shield"), h("span", {}, "Contents are not kept where mail is sent, nor codes and values: of a subject only what its template says.")),
    captures() && !content && mail.state !== "refused" ? h("p", { class: "soft" }, "Its content is not kept.") : null,
    tabbed);
}
