// Mails: the list, its search, and one mail beside it.

import { remove } from "./api.js";
import { ask, broken, copier, h, lesson, say, STATES } from "./dom.js";
import { feed } from "./feed.js";
import { icon } from "./icons.js";
import { List } from "./list.js";
import { mail } from "./mail.js";
import { drawnRows } from "./rows.js";
import { unclaimed } from "./unclaimed.js";

export function open(main, [id, part], context) {
  const given = (name) => new URLSearchParams(location.search).get(name) ?? "";
  let wanted = given("q");
  let current = id ?? "";
  let making = part === "rule";
  let chosen = current; // the mail that j and k go on from
  let list = new List();
  let coming = null; // the list of another search, until its first rows are there
  let atEnd = true;
  let timer = 0;

  const items = h("ol", { role: "list", "aria-label": "Mails, newest first" });
  const box = h("div", { class: "list" }, items);
  const empty = h("div", {});
  const search = h("input", {
    type: "search", value: wanted, "aria-label": "Search mails",
    placeholder: matchMedia("(max-width: 599px)").matches ? "Search" : "Search: words, to: subject: usage: since:10m -not",
  });
  const states = h("select", { "aria-label": "State" }, h("option", { value: "" }, "All states"),
    ...Object.entries(STATES).map(([state, [word]]) => h("option", { value: state }, word)));
  const clear = h("button", { title: "Clear the inbox" }, icon("trash-2"), h("span", { class: "word" }, "Clear"));
  const fresh = h("span");
  const more = h("button", { class: "primary fresh-button", hidden: true }, icon("arrow-up"), fresh);
  const detail = h("section", { class: "detail", "aria-label": "Mail" });
  const problem = h("div");
  const captures = () => context.status?.transport === "capture";
  const claims = unclaimed(captures);
  const left = h("section", { class: "left", "aria-label": "List of mails" },
    h("h1", { class: "skip" }, "Mails"), h("div", { class: "search", role: "search" }, h("div", { class: "finder" }, icon("search"), search, h("kbd", { ariaHidden: "true" }, "/")), states, clear), claims.node, problem, more, empty, box);
  const node = h("div", { class: "mails" }, left, detail);
  states.classList.add("states");
  states.value = given("state");
  main.append(node);

  // The list.

  const rows = drawnRows({ box, items, captures, href: (one) => `/mails/${one}${location.search}` });
  const asking = feed({
    list: () => coming ?? list,
    needsOlder: () => atEnd && !coming,
    search() {
      const filter = new URLSearchParams();
      if (wanted.trim()) {
        filter.set("q", wanted);
        filter.set("zone", String(-new Date().getTimezoneOffset()));
      }
      if (states.value) filter.set("state", states.value);
      return filter;
    },
    taken(asked, answer) {
      problem.replaceChildren();
      change((one) => one.take(asked, answer));
    },
    // That the relay is gone is said above all views.
    failed(trouble) { problem.replaceChildren(...trouble.status ? [broken(trouble)] : []); },
  });

  // Something is known anew: what one reads stays where it is.
  function change(what) {
    const where = rows.place(list);
    list.read(where && where.seq);
    what(list);
    if (coming) what(coming);
    if (coming?.known) {
      [list, coming] = [coming, null];
      rows.restore(list, null);
    } else rows.restore(list, where);
    draw();
    asking.ask();
  }

  function draw() {
    box.hidden = list.order.length === 0;
    atEnd = rows.draw(list, current);
    const where = rows.place(list);
    list.read(where && where.seq);
    more.hidden = !list.fresh.size;
    say(fresh, `${list.fresh.size} new`);
    beside.placed();
    teach();
  }

  // What is asked for stands in the address, which can be sent to a colleague.
  function addressed(name, value) {
    const asked = new URLSearchParams(location.search);
    if (value) asked.set(name, value);
    else asked.delete(name);
    history.replaceState({}, "", `${location.pathname}${asked.size ? `?${asked}` : ""}`);
    draw();
  }

  function anew() {
    chosen = current;
    coming = new List({ filtered: Boolean(wanted.trim() || states.value) });
    asking.anew();
  }

  let taught = "";
  function teach() {
    const what = list.order.length || !list.known ? "" : list.kept ? "none" : JSON.stringify(context.status?.listeners ?? "none yet");
    if (what === taught) return; // what one selects in it stays selected
    taught = what;
    if (!what) empty.replaceChildren();
    else if (what === "none") {
      empty.replaceChildren(lesson("search", "No mail fits this search", h("p", { class: "soft" }, "Words are looked for in sender, recipients, subject, usage, client and ids; quotes hold words together, -word leaves mail out."),
        h("button", { onclick: () => context.go(`/mails${current && `/${current}`}`) }, icon("rotate-ccw"), "Show all mails")));
    } else {
      const server = context.status?.listeners[0] ?? "localhost:1025";
      const usage = context.status?.usages[0] ?? "";
      const line = `swaks --server ${server} --to ann@example.com \\\n  --from app@example.com`
        + (usage ? ` \\\n  --header '${context.status.usageHeader}: ${usage}' \\\n  --header 'X-Relay-Variables: {"code": "123456"}'` : "");
      empty.replaceChildren(lesson("inbox", "No mail yet", h("p", {}, "Send one to this relay, and it is here at once:"),
        h("pre", { tabIndex: 0 }, line), copier(line.replaceAll("\\\n ", ""), "line")));
    }
  }

  // One mail.

  const beside = mail(detail, {
    context,
    captures,
    tab: () => given("tab"),
    onTab: (tab) => addressed("tab", tab),
    near(step) {
      const at = list.order.findIndex((seq) => list.rows.get(seq).id === current);
      return (at >= 0 && list.at(at + step)?.id) || "";
    },
    go(to) {
      const at = list.order.findIndex((seq) => list.rows.get(seq).id === to);
      if (at >= 0) rows.show(at);
      context.go(`/mails${to && `/${to}`}${location.search}`, { replace: true });
    },
  });

  function tell() {
    node.classList.toggle("open", Boolean(current));
    node.classList.toggle("making", making);
    return beside.show(current, making);
  }

  // What people do.

  const wide = () => matchMedia("(min-width: 1100px)").matches;

  function move(step) {
    if (!list.order.length) return;
    const from = list.order.findIndex((seq) => list.rows.get(seq).id === chosen);
    const at = Math.min(Math.max(from + step, 0), list.order.length - 1);
    chosen = list.at(at).id;
    rows.show(at);
    draw();
    rows.focus(chosen);
    asking.ask();
    if (current) context.go(`/mails/${chosen}${location.search}`, { replace: true });
  }

  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      wanted = search.value;
      addressed("q", wanted);
      anew();
    }, 150);
  });
  states.addEventListener("change", () => { addressed("state", states.value); anew(); });
  clear.addEventListener("click", async () => {
    if (await ask("Clear the inbox?", "All captured mails are forgotten.", "Clear")) await remove("/api/v1/mails");
  });
  more.addEventListener("click", () => { box.scrollTop = 0; draw(); });
  let frame = 0;
  box.addEventListener("scroll", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => { draw(); asking.ask(); });
  }, { passive: true });
  // What comes and goes above the list does not move what one reads in it.
  let edge = 0;
  const resized = new ResizeObserver(() => {
    const top = box.getBoundingClientRect().top;
    if (edge && top && !rows.atTop()) box.scrollTop += top - edge;
    edge = top;
    draw();
    asking.ask();
  });
  resized.observe(box);
  const clock = setInterval(draw, 10000);

  clear.hidden = !captures() || !context.status?.mayWrite;
  anew();
  tell();
  claims.load();
  return {
    moved([to, what]) {
      const within = detail.contains(document.activeElement);
      current = to ?? "";
      making = what === "rule";
      chosen = current || chosen; // who comes back goes on from there
      if (given("q") !== wanted || given("state") !== states.value) {
        search.value = wanted = given("q");
        states.value = given("state");
        anew();
      }
      draw();
      tell().then(() => { if (current && !wide() && !within) detail.querySelector("a")?.focus(); });
      if (!current && within) rows.focus(chosen);
    },
    here(mark) {
      change((one) => one.here(mark));
      asking.again();
      claims.load();
      beside.retell();
    },
    mails(bundle) {
      change((one) => one.hear(bundle));
      if (bundle.more || bundle.mails.some((one) => one.id === current)) beside.retell();
    },
    cleared(mark) {
      change((one) => one.here(mark));
      beside.retell();
    },
    point() { claims.load(); },
    status() { clear.hidden = !captures() || !context.status?.mayWrite; teach(); },
    key(event) {
      if (event.key === "j") move(1);
      else if (event.key === "k") move(-1);
      else if (event.key === "#" && current) beside.forget();
      else if (event.key === "/") search.focus();
      else if (event.key === "Escape" && current) context.go(`/mails${making ? `/${current}` : ""}${location.search}`);
      else return false;
      return true;
    },
    close() {
      clearInterval(clock);
      clearTimeout(timer);
      beside.close();
      resized.disconnect();
      asking.close();
    },
  };
}
