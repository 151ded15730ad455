// Mails: the list, live and virtual, and the story of one mail beside it.

import { get, remove } from "./api.js";
import { ago, arrange, ask, bytes, copier, exact, framed, h, ms, say, span, stateOf, STATES, tabs, time } from "./dom.js";
import { maker } from "./rule.js";
import { unclaimed } from "./unclaimed.js";

const PAGE = 200;
const OVER = 8; // rows above and below what is seen

// `usage:SignIn state:failed to:@example.com words` as the API asks it.
export function query(text) {
  const found = new URLSearchParams();
  const words = [];
  for (const word of text.trim().split(/\s+/).filter(Boolean)) {
    const [, name, value] = word.match(/^(usage|state|to|since|until):(.+)$/) ?? [];
    if (!name) words.push(word);
    else if (name === "since" || name === "until") {
      const at = Date.parse(value);
      if (!Number.isNaN(at)) found.set(name, String(at / 1000));
    } else found.set(name, value);
  }
  if (words.length) found.set("q", words.join(" "));
  return found;
}

export function open(main, [id, part], context) {
  let rows = [];
  let next = null;
  let loading = false;
  let wanted = new URLSearchParams(location.search).get("q") ?? "";
  let current = id ?? "";
  let making = part === "rule";
  let chosen = current; // the mail that j and k go on from
  let told = []; // what came while the list was on its way
  let fresh = 0;
  let timer = 0;
  let again = 0;
  let asked = 0;

  const drawn = new Map(); // by id: rows that stay are not made anew
  const items = h("ol", { role: "list", "aria-label": "Mails, newest first" });
  const list = h("div", { class: "list" }, items);
  const empty = h("div", {});
  const search = h("input", {
    type: "search", value: wanted, "aria-label": "Search mails",
    placeholder: "Search: words, usage:SignIn state:failed to:@example.com",
  });
  const states = h("select", { "aria-label": "State" }, h("option", { value: "" }, "All states"),
    ...Object.entries(STATES).map(([state, [glyph, word]]) => h("option", { value: state }, `${glyph} ${word}`)));
  const clear = h("button", { type: "button" }, "Clear");
  const more = h("button", { type: "button", class: "primary fresh-button", hidden: true });
  const detail = h("section", { class: "detail", "aria-label": "Mail" });
  const problem = h("div", { role: "alert" });
  const captures = () => context.status?.transport === "capture";
  const claims = unclaimed(captures);
  const left = h("section", { class: "left", "aria-label": "List of mails" },
    h("h1", { class: "skip" }, "Mails"), h("div", { class: "search", role: "search" }, search, states, clear), claims.node, problem, more, empty, list);
  const node = h("div", { class: "mails" }, left, detail);
  states.classList.add("states");
  main.append(node);

  const height = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));

  // The list: what is on the screen is in the DOM, not ten thousand rows.

  function draw(newer = 0) {
    const row = height();
    items.style.height = `${rows.length * row}px`;
    const first = Math.max(Math.floor(list.scrollTop / row) - OVER, 0);
    const last = Math.min(Math.ceil((list.scrollTop + list.clientHeight) / row) + OVER, rows.length);
    const seen = rows.slice(first, last);
    const before = new Map(drawn);
    drawn.clear();
    seen.forEach((one, offset) => {
      const at = first + offset;
      const line = before.get(one.id) ?? newLine(one);
      drawn.set(one.id, line);
      line.item.className = at < newer ? "fresh" : "";
      line.item.setAttribute("aria-setsize", String(rows.length));
      line.item.setAttribute("aria-posinset", String(at + 1));
      line.item.style.transform = `translateY(${at * row}px)`;
      line.write(one);
    });
    arrange(items, [...drawn.values()].map(({ item }) => item));
    if (next !== null && last > rows.length - 50) load();
  }

  function newLine({ id, at }) {
    const when = h("span", { class: "time soft", title: exact(at) });
    const to = h("span", { class: "to" });
    const subject = h("span", { class: "subject", dir: "auto" });
    const usage = h("span", { class: "usage soft" });
    const took = h("span", { class: "ms soft" });
    const link = h("a", { "data-id": id }, when, to, subject, usage, took);
    let state = h("span");
    let known = "";
    took.before(state);
    return {
      item: h("li", {}, link),
      link,
      write(one) {
        link.href = `/mails/${id}${location.search}`;
        if (id === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
        say(when, ago(at));
        say(to, `${one.to[0] ?? ""}${one.recipients > 1 ? ` +${one.recipients - 1}` : ""}`);
        subject.classList.toggle("soft", !one.subject);
        say(subject, one.subject || (captures() ? "(no subject)" : "(not shown)"));
        say(usage, one.usage || "–");
        if (known !== one.state) {
          const now = stateOf(one.state);
          state.replaceWith(now);
          [state, known] = [now, one.state];
        }
        say(took, ms(one.ms));
      },
    };
  }

  async function load(anew = false) {
    if (loading && !anew) return;
    loading = true;
    told = [];
    const mine = ++asked;
    const filter = query(wanted);
    if (states.value) filter.set("state", states.value);
    filter.set("limit", String(PAGE));
    if (!anew && next !== null) filter.set("before", String(next));
    try {
      const found = await get(`/api/v1/mails?${filter}`);
      if (mine !== asked) return;
      problem.replaceChildren();
      rows = anew ? found.mails : [...rows, ...found.mails];
      next = found.next;
      merge(told); // which the answer may be older than
      if (anew) { list.scrollTop = 0; fresh = 0; more.hidden = true; }
      draw();
      lesson(found.kept);
    } catch (trouble) {
      if (mine === asked) problem.replaceChildren(h("div", { class: "notice bad" }, trouble.message));
    } finally {
      if (mine === asked) loading = false;
    }
  }

  function lesson(kept) {
    list.hidden = rows.length === 0;
    if (rows.length) { empty.replaceChildren(); return; }
    if (kept) {
      empty.replaceChildren(h("p", { class: "lesson soft" }, "No mail fits this search."));
      return;
    }
    const server = context.status?.listeners[0] ?? "localhost:1025";
    const usage = context.status?.usages[0] ?? "";
    const line = `swaks --server ${server} --to ann@example.com --from app@example.com`
      + (usage ? ` \\\n  --header '${context.status.usageHeader}: ${usage}' \\\n  --header 'X-Relay-Variables: {"code": "123456"}'` : "");
    empty.replaceChildren(h("div", { class: "lesson" }, h("h2", {}, "No mail yet"),
      h("p", {}, "Send one to this relay, and it is here at once:"), h("pre", {}, line), h("div", {}, copier(line.replaceAll("\\\n ", ""), "line"))));
  }

  function changed({ mails: some, more: tooMany }) {
    if (tooMany || wanted || states.value) {
      again ||= setTimeout(() => { again = 0; if (list.scrollTop < 2) load(true); }, 1000);
      return;
    }
    if (loading) told.push(...some);
    const added = merge(some);
    if (some.some((one) => one.id === current)) tell();
    if (added) {
      const top = list.scrollTop;
      lesson(rows.length);
      items.style.height = `${rows.length * height()}px`;
      if (top > 2) { // what one reads does not move
        list.scrollTop = top + added * height();
        fresh += added;
        more.textContent = `${fresh} new`;
        more.hidden = false;
      }
    }
    draw(list.scrollTop <= 2 ? added : 0);
  }

  // Puts what is known anew into the list; how many mails are new to it.
  function merge(some) {
    const bySeq = new Map(rows.map((one, index) => [one.seq, index]));
    const newest = rows[0]?.seq ?? -1;
    const added = new Map();
    for (const one of some) {
      const at = bySeq.get(one.seq);
      if (at !== undefined) rows[at] = one;
      else if (one.seq > newest) added.set(one.seq, one);
    }
    rows = [...[...added.values()].sort((a, b) => b.seq - a.seq), ...rows];
    return added.size;
  }

  // One mail.

  async function tell() {
    node.classList.toggle("open", Boolean(current));
    node.classList.toggle("making", making);
    if (!current) {
      delete detail.dataset.rule;
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
        detail.replaceChildren(h("div", { class: "inner" }, back(), h("p", { role: "alert" }, trouble.message)));
      }
      return;
    }
    let content = null;
    const kept = captures() || found.calls.some((call) => call.state === "captured");
    if (kept) content = await get(`/api/v1/mails/${encodeURIComponent(mine)}/content`).catch(() => null);
    if (mine !== current || wasMaking !== making) return;
    if (making) {
      const form = content ? await maker(found, content).catch((trouble) => trouble.message) : "Its content is not kept, or no longer";
      if (mine !== current || !making) return;
      detail.dataset.id = "";
      detail.replaceChildren(typeof form === "string" ? h("div", { class: "inner" }, h("a", { href: `/mails/${mine}` }, "← The mail"), h("p", { role: "alert" }, form)) : form);
      detail.scrollTop = 0;
      document.title = `A rule for ${found.subject || found.id} – ses-relay`;
      return;
    }
    const before = detail.dataset.id === mine ? detail.querySelector(".tabbed")?.shown ?? 0 : 0;
    const scroll = detail.dataset.id === mine ? detail.scrollTop : 0;
    detail.dataset.id = mine;
    detail.replaceChildren(story(found, content, before));
    detail.scrollTop = scroll;
    document.title = `${found.subject || found.id} – ses-relay`;
  }

  const back = () => h("div", { class: "back" }, h("a", { href: `/mails${location.search}` }, "← All mails"));

  function story(mail, content, tab) {
    const steps = [
      h("li", { class: "good" }, h("strong", {}, "Received "), time(mail.at), h("div", { class: "soft" },
        [mail.peer && `from ${mail.peer}`, mail.user && `user ${mail.user}`, mail.listener && `listener ${mail.listener}`, !["default", ":guard"].includes(mail.account) && `account ${mail.account}`, bytes(mail.size)].filter(Boolean).join(", "))),
    ];
    if (mail.rule) steps.push(h("li", { class: "good" }, h("strong", {}, `Rule ${mail.rule}`)));
    if (mail.usage || mail.template) steps.push(h("li", { class: mail.template ? "good" : "wait" }, h("strong", {}, `Usage ${mail.usage}`),
      h("div", { class: "soft" }, mail.template ? `template ${mail.template}${mail.locale ? `, locale ${mail.locale}` : ""}` : "no template",
        mail.variables.length ? `; variables: ${mail.variables.join(", ")}` : "")));
    for (const warning of mail.warnings) steps.push(h("li", { class: "wait" }, warning));
    if (mail.attemptsLeftOut) steps.push(h("li", { class: "wait" }, `${mail.attemptsLeftOut} more attempts`));
    const held = captures() || mail.calls.every((call) => call.state === "captured");
    for (const one of mail.attempts) steps.push(h("li", { class: one.answer === "accepted" ? "good" : "bad" },
      h("strong", {}, one.answer === "accepted" ? (held ? "Captured " : "SES took it ") : `${captures() ? "Played" : "SES"}: ${one.answer.replaceAll("_", " ")} `), time(one.at),
      h("span", { class: "soft" }, ` · attempt ${one.attempt}${mail.calls.length > 1 ? ` of call ${one.call}` : ""}, ${ms(one.ms)}`
        + (one.account !== mail.account ? `, by ${one.account} instead of ${mail.account}` : "")),
      one.reply && h("div", {}, one.reply), one.detail && h("div", { class: "soft" }, one.detail),
      one.maybeSent && h("div", {}, "It may have been sent: its end was not seen.")));
    if (mail.reply) steps.push(h("li", { class: mail.state === "refused" ? "bad" : "good" }, h("strong", {}, "The client heard "), h("code", {}, mail.reply), h("span", { class: "soft" }, ` after ${ms(mail.ms)}`)));
    for (const call of mail.calls) {
      if (call.state === "queued") steps.push(h("li", { class: "wait" }, h("strong", {}, "Waits"), call.due ? `, next try ${call.due * 1000 > Date.now() ? `in ${span(call.due - Date.now() / 1000)}` : "now"}` : "", call.reply && h("div", { class: "soft" }, call.reply)));
      if (call.state === "failed") steps.push(h("li", { class: "bad" }, h("strong", {}, "Given up "), call.reply, mail.reports.length ? h("div", { class: "soft" }, `reported to ${mail.reports.join(", ")}`) : ""));
      if (call.state === "superseded") steps.push(h("li", { class: "wait" }, h("strong", {}, "Superseded"), mail.overtakenBy ? h("span", {}, " by ", h("a", { href: `/mails/${mail.overtakenBy}` }, mail.overtakenBy)) : " by a newer mail"));
      if (call.messageId) steps.push(h("li", { class: "good" }, h("div", { class: "row" }, h("span", {}, "Message id ", h("code", {}, call.messageId)), copier(call.messageId, "id"))));
    }
    const panels = [];
    if (content) {
      if (content.html !== null) panels.push(["Mail", () => framed(`/view/${mail.id}`, { remote: content.remote, title: "The mail's HTML" })]);
      panels.push(["Text", () => h("div", { class: "panel" }, content.code && h("div", { class: "row" }, h("span", {}, "Code ", h("strong", { class: "mono" }, content.code)), copier(content.code, "code")),
        h("pre", { dir: "auto", tabIndex: 0 }, content.text),
        content.links.length ? h("div", {}, h("h3", {}, "Links"), h("ul", {}, content.links.slice(0, 50).map((link) => h("li", { class: "who" }, h("a", { href: link, target: "_blank", rel: "noopener noreferrer nofollow" }, link))))) : null)]);
      panels.push(["Headers", () => h("div", { class: "boxed", tabIndex: 0 }, h("table", {}, h("tbody", {}, content.headers.map(([name, value]) => h("tr", {}, h("th", { scope: "row", class: "tight" }, name), h("td", { dir: "auto" }, value))))))]);
      panels.push(["Raw", () => h("div", { class: "panel" },
        h("p", {}, h("a", { href: `/api/v1/mails/${mail.id}/raw`, download: `${mail.id}.eml` }, "Download as .eml")),
        content.attachments.length ? h("ul", {}, content.attachments.map((one) => h("li", {}, `${one.name || "(no name)"}, ${one.type}, ${bytes(one.size)}`))) : h("p", { class: "soft" }, "Nothing is attached."))]);
    }
    panels.push(["SendEmail", () => h("pre", { tabIndex: 0 }, JSON.stringify(mail.parameters.length === 1 ? mail.parameters[0] : mail.parameters, null, 2))]);
    const tabbed = tabs("Parts of the mail", panels, tab);
    tabbed.classList.add("tabbed");
    return h("div", { class: "inner" }, back(),
      h("div", { class: "head" }, h("h1", { dir: "auto" }, mail.subject || (captures() ? "(no subject)" : "(subject not shown)")), stateOf(mail.state, "big"),
        h("p", { class: "who" }, h("span", { class: "soft" }, "From "), mail.sender ?? "<>"),
        h("p", { class: "who" }, h("span", { class: "soft" }, "To "), mail.to.slice(0, 20).join(", "), mail.to.length > 20 ? ` and ${mail.to.length - 20} more` : "")),
      !mail.usage && captures() && content ? h("div", {}, h("a", { class: "button", href: `/mails/${mail.id}/rule${location.search}` }, "Make a rule")) : null,
      h("ol", { class: "story", "aria-label": "Story" }, steps),
      captures() && !content && mail.state !== "refused" ? h("p", { class: "soft" }, "Its content is not kept.") : null,
      tabbed);
  }

  // What people do.

  const wide = () => matchMedia("(min-width: 1100px)").matches;

  function move(step) {
    if (!rows.length) return;
    const from = rows.findIndex((one) => one.id === chosen);
    const at = Math.min(Math.max(from + step, 0), rows.length - 1);
    chosen = rows[at].id;
    const row = height();
    if (at * row < list.scrollTop) list.scrollTop = at * row;
    if ((at + 1) * row > list.scrollTop + list.clientHeight) list.scrollTop = (at + 1) * row - list.clientHeight;
    draw();
    focus();
    if (current && wide()) context.go(`/mails/${chosen}${location.search}`, { replace: true });
  }

  function focus() {
    drawn.get(chosen)?.link.focus({ preventScroll: true });
  }

  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      wanted = search.value;
      const path = wanted ? `${location.pathname}?q=${encodeURIComponent(wanted)}` : location.pathname;
      history.replaceState({}, "", path);
      chosen = current;
      load(true);
    }, 150);
  });
  states.addEventListener("change", () => { chosen = current; load(true); });
  clear.addEventListener("click", async () => {
    if (await ask("Clear the inbox?", "All captured mails are forgotten.", "Clear")) await remove("/api/v1/mails");
  });
  more.addEventListener("click", () => { list.scrollTop = 0; fresh = 0; more.hidden = true; draw(); });
  let frame = 0;
  list.addEventListener("scroll", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (list.scrollTop < 2) { fresh = 0; more.hidden = true; }
      draw();
    });
  }, { passive: true });
  const resized = new ResizeObserver(() => draw());
  resized.observe(list);
  const clock = setInterval(() => draw(), 10000);

  clear.hidden = !captures();
  load(true).then(tell);
  claims.load();
  return {
    moved([to, what]) {
      const within = detail.contains(document.activeElement);
      current = to ?? "";
      making = what === "rule";
      chosen = current || chosen; // who comes back goes on from there
      draw();
      tell().then(() => { if (current && !wide()) detail.querySelector("a")?.focus(); });
      if (!current && within) focus();
    },
    mails: changed,
    again() { load(true); claims.load(); if (current) tell(); },
    point() { claims.load(); },
    status() { clear.hidden = !captures(); },
    key(event) {
      if (event.key === "j") move(1);
      else if (event.key === "k") move(-1);
      else if (event.key === "/") search.focus();
      else if (event.key === "Escape" && current) context.go(`/mails${making ? `/${current}` : ""}${location.search}`);
      else return false;
      return true;
    },
    close() { clearInterval(clock); clearTimeout(timer); clearTimeout(again); resized.disconnect(); },
  };
}
