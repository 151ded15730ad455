// Queue: what waits and what failed, by why and one by one; search, retry and drop.

import { get, post } from "./api.js";
import { agesOf, bar, causes, mails, nextTry, number } from "./causes.js";
import { arrange, ask, broken, bytes, exact, h, lesson, say, stateOf } from "./dom.js";

const FEW = 5; // causes, until one asks for all
const PAGE = 50;
const MOST = 500; // rows that are asked for anew by themselves
const FILTER = ["state", "cause", "account", "q"];
const DONE = { retry: "retried", drop: "dropped" };

// What a queue that relays share answers to nobody: it is read one by one.
const SHARED = { waiting: 0, sending: 0, failed: 0, groups: [], ages: [], paused: {}, work: null };

const why = (reply) => reply.replace(/^\d{3} \d\.\d+\.\d+ /, "");

export function open(main, _, context) {
  let rows = [];
  let next = null;
  let total = 0;
  let all = null; // the causes, as they were read last
  let filter = {};
  let asked = 0; // an answer to an earlier question is none
  let mayAsk = 0;
  let typing = 0;
  let watching = 0;
  let closed = false;
  let wide = false; // all causes are shown
  const drawn = new Map(); // rows that stay are not made anew
  const problem = h("div");
  const progress = h("div", { role: "status" });
  const reads = h("p", { class: "notice", hidden: true }, "Read-only: with web.user and web.passwordHash in the settings, mail is retried and dropped here; relay queue retry does it on the machine.");
  const list = h("p", { class: "notice", hidden: true }, "Relays share this queue, in S3 and SQS: here is its list. It is neither grouped by cause nor searched here, since each mail of it would have to be read; on the command line relay queue takes filters.");
  const paused = h("div");
  const tabs = [["queued", "Waiting"], ["failed", "Failed"], ["all", "All"]].map(([state, name]) => {
    const count = h("span", { class: "soft" });
    return { state, count, button: h("button", { onclick: () => move({ state, cause: "", account: "" }) }, `${name} `, count) };
  });
  const states = h("div", { class: "row", role: "group", "aria-label": "State" }, tabs.map(({ button }) => button));
  const field = h("input", { type: "search", placeholder: "Search: words, to: from: usage: priority: since:1h", "aria-label": "Search the queue" });
  const whole = bar();
  const legend = h("ul", { class: "age-names", "aria-label": "How old it is" });
  const ages = h("section", { "aria-label": "How old" }, whole.node, legend);
  const cards = causes({
    choose: (one) => move(isChosen(one) ? { cause: "", account: "" } : { state: one.state, cause: one.cause, account: one.account }),
    act: (what, one) => act(what, { state: one.state, cause: one.cause, account: one.account }),
  });
  const further = h("button", { class: "further", onclick: () => { if (searched()) move({ cause: "", account: "" }); else { wide = true; draw(); } } });
  const heading = h("h2");
  const buttons = ["retry", "drop"].map((what) => h("button", { onclick: () => act(what, filter) }));
  const body = h("tbody");
  const more = h("button", { onclick: () => load(false) });
  const empty = h("div");
  const table = h("table", { class: "cards" }, h("thead", {}, h("tr", {}, ["Mail", "To", "Why it waits", "State", ""].map((one) => h("th", { scope: "col" }, one)))), body);
  const listed = h("section", { class: "listed", "aria-label": "Mails" }, h("div", { class: "row spread" }, heading, h("div", { class: "row" }, buttons)), table, h("div", {}, more));
  main.append(h("div", { class: "queue" }, h("div", { class: "row spread" }, h("h1", {}, "Queue"), states),
    field, problem, progress, reads, list, paused, empty, ages, cards.list, further, listed));

  const isChosen = (one) => filter.cause === one.cause && filter.account === one.account;
  const isShared = () => context.status?.queue === "sqs";
  const searched = () => Boolean(filter.q || filter.cause || filter.account);

  function address() {
    const words = new URLSearchParams(location.search);
    filter = Object.fromEntries(FILTER.map((name) => [name, words.get(name) ?? ""]));
    filter.state ||= "queued";
    if (isShared()) filter = { state: filter.state, cause: "", account: "", q: "" };
    if (field.value !== filter.q) field.value = filter.q;
  }

  function move(changed, how = {}) {
    const wanted = { ...filter, ...changed };
    const words = new URLSearchParams(Object.entries(wanted).filter(([name, value]) => value && !(name === "state" && value === "queued")));
    context.go(`/queue${words.size ? `?${words}` : ""}`, how);
  }

  function reason(one) {
    if (one.state === "failed") return `Given up: ${why(one.lastReply || "its time is over")}`;
    if (one.state === "sending") return "It is being sent now.";
    if (one.state !== "queued") return "";
    const due = nextTry(Date.parse(one.due) / 1000);
    const when = `${due[0].toUpperCase()}${due.slice(1)}.`;
    return one.lastReply ? `SES said: ${why(one.lastReply)}. ${when}` : when;
  }

  function nothingHere() {
    if (context.status?.queue === "none") {
      return lesson("layers", "There is no queue", h("p", {}, "With queue.engine = \"none\" SES' answer is the reply that a client hears, and no mail is kept here. With \"sqlite\" mail that SES does not take at once waits here:"), h("pre", {}, "[queue]\nengine = \"sqlite\""));
    }
    if (searched()) return lesson("search", "Nothing is found", h("p", {}, "No mail of the queue has all of these words."), h("button", { onclick: () => move({ cause: "", account: "", q: "" }) }, "Search for nothing"));
    if (filter.state === "failed") return lesson("check", "Nothing failed", h("p", {}, "Mail that SES refused for good, or whose time was over, is kept here for queue.keepFailed, and can be retried."));
    return lesson("check", "Nothing waits", h("p", {}, `Mail that SES does not take at once is kept ${isShared() ? "in S3" : "here, on the disk"}, and tried again until it is sent or its time is over. Here stands why it waits${isShared() ? "" : ", what cures it"} and when its next try is.`), h("pre", {}, "relay queue list"));
  }

  function draw() {
    const may = Boolean(context.status?.mayWrite);
    const none = context.status?.queue === "none";
    const groups = (all?.groups ?? []).filter((one) => filter.state === "all" || one.state === filter.state);
    const several = new Set(all?.groups.map((one) => one.account)).size > 1;
    for (const { state, count, button } of tabs) {
      button.setAttribute("aria-pressed", String(state === filter.state));
      const many = all && { queued: all.waiting + all.sending, failed: all.failed }[state];
      say(count, many ? number(many) : "");
    }
    const nothing = !rows.length && !groups.length;
    states.hidden = none;
    list.hidden = !isShared();
    field.hidden = none || isShared() || (nothing && !searched());
    reads.hidden = may || none || nothing;
    const held = Object.keys(all?.paused ?? {});
    say(paused, held.length ? `While sending is paused${several ? ` for account ${held.join(", ")}` : ""}, one attempt looks from time to time whether it is over; then all of it goes.` : "");
    paused.className = held.length ? "notice wait" : "";
    const chosen = groups.find(isChosen);
    const shown = chosen ? [chosen] : filter.q ? [] : wide ? groups : groups.slice(0, FEW);
    cards.write(shown, { several, alone: groups.length === 1, both: filter.state === "all", may, paused: all?.paused ?? {}, isChosen });
    const others = groups.length - shown.length;
    further.hidden = !others || (filter.q && !chosen);
    say(further, chosen ? "All causes" : `${number(others)} more causes`);
    const sums = groups.reduce((sum, one) => one.ages.map((count, at) => count + (sum[at] ?? 0)), []);
    ages.hidden = !groups.length || searched();
    whole.write(sums);
    const names = all?.ages.length ? agesOf(all.ages) : [];
    while (legend.children.length < sums.length) {
      const { q } = names[legend.children.length];
      legend.append(h("li", {}, h("button", { class: "quiet", onclick: () => move({ q }) })));
    }
    sums.forEach((count, at) => {
      legend.children[at].hidden = !count;
      say(legend.children[at].firstChild, `${names[at].name}: ${number(count)}`);
    });
    const words = [chosen?.title, filter.q && "found"].filter(Boolean).join(", ");
    const many = total === null ? `${mails(rows.length)}${next ? " and more" : ""}` : mails(total);
    say(heading, `${many}${words ? `: ${words}` : ""}`);
    buttons.forEach((button, at) => {
      button.hidden = !may || !filter.q || !rows.some((one) => one.state === "queued" || one.state === "failed");
      say(button, `${at ? "Drop" : "Retry"} all that is found`);
    });
    listed.hidden = !rows.length;
    more.hidden = !next;
    say(more, total === null ? "Show more" : `Show ${number(Math.min(PAGE, total - rows.length))} more of ${number(total - rows.length)}`);
    empty.replaceChildren(...rows.length || (groups.length && !searched()) || !(all || none) ? [] : [nothingHere()]);
    const before = new Map(drawn);
    drawn.clear();
    for (const one of rows) {
      const key = [one.id, one.story, ...one.recipients].join(" "); // a mail may be several calls
      const line = before.get(key) ?? newLine(one);
      drawn.set(key, line);
      line.write(one, may);
    }
    arrange(body, [...drawn.values()].map(({ item }) => item));
  }

  function newLine({ id, usage, size, recipients, acceptedAt, account, priority, story }) {
    const button = (word) => h("button", { "aria-label": `${word} ${id}`, onclick: () => moveOne(word.toLowerCase(), id) }, word);
    const pair = h("div", { class: "row" }, button("Retry"), button("Drop"));
    const text = h("span");
    const unseen = h("div", { class: "state queued" }, "It may have been sent.");
    const attempts = h("div", { class: "soft" });
    const state = h("td", { class: "tight" });
    const about = [usage || "no usage", bytes(size), priority !== "normal" && `${priority} priority`, account !== "default" && `account ${account}`].filter(Boolean);
    let known = "";
    return {
      item: h("tr", {},
        h("td", { class: "tight" }, story ? h("a", { href: `/mails/${id}` }, id) : h("span", { title: "Its story is not kept any more: stories begin anew with each start." }, id), h("div", { class: "soft", title: acceptedAt }, about.join(" · "))),
        h("td", {}, recipients.slice(0, 3).join(", "), recipients.length > 3 ? ` +${recipients.length - 3}` : ""),
        h("td", {}, text, unseen, attempts),
        state,
        h("td", { class: "tight" }, pair)),
      write(one, may) {
        say(text, reason(one));
        unseen.hidden = !one.maybeSent || one.lastReply?.includes("may have been sent");
        say(attempts, `${one.attempts} ${one.attempts === 1 ? "attempt" : "attempts"}, accepted ${exact(Date.parse(one.acceptedAt) / 1000)}`);
        if (known !== one.state) state.replaceChildren(stateOf(one.state));
        known = one.state;
        pair.hidden = !may || (one.state !== "queued" && one.state !== "failed");
      },
    };
  }

  // What is asked for; sending mail waited a moment ago, and stands with what waits.
  const words = () => ({ ...filter, state: filter.state === "queued" ? "open" : filter.state, zone: String(-new Date().getTimezoneOffset()) });

  async function load(again = true) {
    if (context.status?.queue === "none") { draw(); return; }
    asked += 1;
    const mine = asked;
    mayAsk = Infinity;
    const query = new URLSearchParams(Object.entries(words()).filter(([, value]) => value));
    query.set("limit", String(again ? Math.min(Math.max(rows.length, PAGE), MOST) : PAGE));
    if (!again && next) query.set("after", String(next));
    let wait = 2;
    try {
      const [found, groups] = await Promise.all([get(`/api/v1/queue?${query}`), isShared() ? SHARED : get("/api/v1/queue/causes")]);
      wait = Math.max(found.again, 1);
      if (mine !== asked || closed) return;
      rows = again ? found.mails : [...rows, ...found.mails];
      ({ next, total } = found);
      all = groups;
      problem.replaceChildren();
      if (groups.work && !watching) watch(groups.work);
    } catch (trouble) {
      if (mine !== asked || closed) return;
      problem.replaceChildren(broken(trouble));
    } finally {
      if (mine === asked) mayAsk = performance.now() + wait * 1000;
    }
    draw();
  }

  // By itself only as often as the answer allows, and never below what one reads.
  const refresh = () => { if (performance.now() >= mayAsk && rows.length <= MOST) load(); };

  async function tried(work) {
    try {
      problem.replaceChildren();
      return await work();
    } catch (trouble) {
      problem.replaceChildren(broken(trouble));
      return null;
    }
  }

  const MEANS = { retry: "Each is tried as soon as it may; its time starts anew where it was given up.", drop: "What is dropped is gone and is never sent." };
  const title = (what) => (what === "retry" ? "Retry" : "Drop");

  async function moveOne(what, id) {
    if (!await ask(`${title(what)} 1 mail?`, MEANS[what], `${title(what)} 1 mail`)) return;
    const found = await tried(() => post(`/api/v1/queue/${what}`, { ids: [id] }));
    await load();
    if (found?.obstacles.length) told(`Left alone: ${id} ${found.obstacles[0].obstacle}.`);
  }

  // First counted, then confirmed, and then done to just those.
  async function act(what, which) {
    const given = Object.fromEntries(Object.entries(which).filter(([name, value]) => value && name !== "zone"));
    const work = await tried(() => post("/api/v1/queue/works", { what, ...given, zone: words().zone }));
    if (!work) return;
    const sending = work.sending ? ` ${mails(work.sending)} being sent now ${work.sending === 1 ? "is" : "are"} left alone.` : "";
    if (!work.mails) { told(`There is nothing to ${what}.${sending}`); load(); return; }
    if (!await ask(`${title(what)} ${mails(work.mails)}?`, `${MEANS[what]}${sending}`, `${title(what)} ${mails(work.mails)}`)) return;
    const begun = await tried(() => post(`/api/v1/queue/works/${work.id}/begin`, {}));
    if (begun) watch(begun);
  }

  function told(text, how = "") {
    progress.replaceChildren(h("div", { class: `notice row spread ${how}` }, h("span", {}, text), h("button", { class: "quiet", onclick: () => progress.replaceChildren() }, "Close")));
  }

  async function watch(work) {
    const meter = h("progress", { max: work.mails, "aria-label": "How far it is" });
    const text = h("span");
    const stop = h("button", { hidden: !context.status?.mayWrite, onclick: () => tried(() => post(`/api/v1/queue/works/${work.id}/stop`, {})) }, "Stop");
    progress.replaceChildren(h("div", { class: "notice row" }, meter, text, stop));
    watching = 1;
    let now = work;
    while (now.state === "running" && !closed) {
      meter.value = now.done + now.left.reduce((sum, one) => sum + one.mails, 0);
      say(text, `${number(now.done)} of ${mails(now.mails)} ${DONE[now.what]} …`);
      await new Promise((done) => setTimeout(done, 300));
      now = await get(`/api/v1/queue/works/${work.id}`).catch((trouble) => (trouble.status === 404 ? { ...now, state: "lost" } : now));
    }
    watching = 0;
    if (closed) return;
    const left = now.left.map((one) => `${number(one.mails)}: ${one.obstacle}`).join("; ");
    const begin = now.done === now.mails ? `${mails(now.done)} ${DONE[now.what]}.` : `${number(now.done)} of ${mails(now.mails)} ${DONE[now.what]}.`;
    const end = { stopped: " It was stopped.", broken: ` ${now.trouble}.`, lost: " The relay was started anew meanwhile." }[now.state] ?? "";
    told(`${begin}${end}${left ? ` Left alone: ${left}.` : ""}`, now.state === "done" && !left ? "" : "wait");
    load();
  }

  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => move({ q: field.value.trim() }, { replace: true }), 250);
  });
  address();
  load();
  return {
    moved() { address(); rows = []; next = null; load(); },
    point: refresh,
    mails: refresh,
    again: load,
    status: draw,
    key(event) {
      if (event.key === "/") { field.focus(); return true; }
      const step = { j: 1, k: -1 }[event.key];
      if (!step) return false;
      const places = [...main.querySelectorAll(".cause, tbody a")];
      places[Math.min(Math.max(places.indexOf(document.activeElement) + step, 0), places.length - 1)]?.focus();
      return true;
    },
    close() { closed = true; clearTimeout(typing); },
  };
}
