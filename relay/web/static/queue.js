// Queue: what waits, why and until when; retry and drop.

import { get, post } from "./api.js";
import { arrange, ask, bytes, exact, h, say, span, stateOf } from "./dom.js";

const why = (reply) => reply.replace(/^\d{3} \d\.\d+\.\d+ /, "");

export function open(main, _, context) {
  let rows = [];
  let next = null;
  let timer = 0;
  const drawn = new Map(); // rows that stay are not made anew
  const problem = h("div", { role: "alert" });
  const body = h("tbody");
  const count = h("p", { class: "soft", role: "status" });
  const states = h("select", { "aria-label": "State" }, [["open", "Waiting"], ["failed", "Failed"], ["all", "All"]].map(([value, word]) => h("option", { value }, word)));
  states.classList.add("states");
  const retryAll = h("button", { type: "button" }, "Retry all shown");
  const dropAll = h("button", { type: "button" }, "Drop all shown");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  const empty = h("div");
  const table = h("table", { class: "cards" }, h("thead", {}, h("tr", {}, ["Mail", "To", "Why it waits", "", ""].map((one) => h("th", { scope: "col" }, one)))), body);
  main.append(h("div", { class: "queue" }, h("div", { class: "row spread" }, h("h1", {}, "Queue"), h("div", { class: "row" }, states, retryAll, dropAll)), problem, count, empty, table, h("div", {}, more)));

  function reason(one) {
    if (one.state === "failed") return `Given up: ${why(one.lastReply || "its time is over")}`;
    if (one.state === "sending") return "It is being sent now.";
    if (one.state !== "queued") return "";
    const due = Date.parse(one.due) / 1000 - Date.now() / 1000;
    const when = due > 1 ? `Next try in ${span(due)}.` : "It goes as soon as it may.";
    return one.lastReply ? `SES said: ${why(one.lastReply)}. ${when}` : when;
  }

  function draw() {
    const may = Boolean(context.status?.mayWrite);
    const held = rows.filter((one) => one.state === "queued" || one.state === "failed");
    retryAll.disabled = dropAll.disabled = !may || !held.length;
    count.textContent = rows.length ? `${rows.length}${next ? " or more" : ""} mails` : "";
    table.hidden = !rows.length;
    more.hidden = !next;
    empty.replaceChildren(...rows.length ? [] : [h("div", { class: "lesson" }, h("h2", {}, context.status?.queue === "none" ? "There is no queue" : "Nothing waits"),
      h("p", {}, context.status?.queue === "none" ? "With queue.engine = \"none\" SES' answer is the reply, and no mail is kept here." : "Mail that SES does not take at once is kept here and tried again."))]);
    const before = new Map(drawn);
    drawn.clear();
    for (const one of rows) {
      const key = [one.id, ...one.recipients].join(" "); // a mail may be several calls
      const line = before.get(key) ?? newLine(one);
      drawn.set(key, line);
      line.write(one, may);
    }
    arrange(body, [...drawn.values()].map(({ item }) => item));
  }

  function newLine({ id, usage, size, recipients, acceptedAt }) {
    const button = (word) => h("button", { type: "button", "aria-label": `${word} ${id}`, onclick: () => act(word.toLowerCase(), [id]) }, word);
    const buttons = h("div", { class: "row" }, button("Retry"), button("Drop"));
    const text = h("span");
    const unseen = h("div", { class: "state queued" }, "It may have been sent.");
    const attempts = h("div", { class: "soft" });
    const state = h("td", { class: "tight" });
    let known = "";
    return {
      item: h("tr", {},
        h("td", { class: "tight" }, h("a", { href: `/mails/${id}` }, id), h("div", { class: "soft", title: acceptedAt }, usage || "–", " · ", bytes(size))),
        h("td", {}, recipients.slice(0, 3).join(", "), recipients.length > 3 ? ` +${recipients.length - 3}` : ""),
        h("td", {}, text, unseen, attempts),
        state,
        h("td", { class: "tight" }, buttons)),
      write(one, may) {
        say(text, reason(one));
        unseen.hidden = !one.maybeSent;
        say(attempts, `${one.attempts} ${one.attempts === 1 ? "attempt" : "attempts"}, accepted ${exact(Date.parse(one.acceptedAt) / 1000)}`);
        if (known !== one.state) state.replaceChildren(stateOf(one.state));
        known = one.state;
        buttons.hidden = one.state !== "queued" && one.state !== "failed";
        for (const each of buttons.children) each.disabled = !may;
      },
    };
  }

  async function load(again = true) {
    if (context.status?.queue === "none") { draw(); return; }
    const filter = new URLSearchParams({ limit: "100", state: states.value });
    if (!again && next) filter.set("after", String(next));
    try {
      const found = await get(`/api/v1/queue?${filter}`);
      rows = again ? found.mails : [...rows, ...found.mails];
      next = found.next;
      problem.replaceChildren();
    } catch (trouble) {
      problem.replaceChildren(h("div", { class: "notice bad" }, trouble.message));
    }
    draw();
  }

  async function act(what, ids) {
    const many = `${ids.length} ${ids.length === 1 ? "mail" : "mails"}`;
    const [title, text, yes] = what === "retry"
      ? [`Retry ${many}?`, "Each is tried as soon as it may; its time starts anew.", `Retry ${many}`]
      : [`Drop ${many}?`, "What is dropped is gone and is never sent.", `Drop ${many}`];
    if (!await ask(title, text, yes)) return;
    try {
      const { done } = await post(`/api/v1/queue/${what}`, { ids });
      if (done < ids.length) problem.replaceChildren(h("div", { class: "notice wait" }, `${done} of ${many}: the others moved on meanwhile.`));
    } catch (trouble) {
      problem.replaceChildren(h("div", { class: "notice bad" }, trouble.message));
    }
    load();
  }

  const held = () => rows.filter((one) => one.state === "queued" || one.state === "failed").map((one) => one.id);
  retryAll.addEventListener("click", () => act("retry", held()));
  dropAll.addEventListener("click", () => act("drop", held()));
  states.addEventListener("change", () => load());
  more.addEventListener("click", () => load(false));
  load();
  return {
    point() { if (rows.length <= 100) load(); },
    mails() { clearTimeout(timer); timer = setTimeout(() => { if (rows.length <= 100) load(); }, 1000); },
    again: load,
    status: draw,
    close() { clearTimeout(timer); },
  };
}
