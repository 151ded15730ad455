// Views by address, the state of things, live events, keys.

import { get } from "./api.js";
import { clock, h, says, ticked } from "./dom.js";
import { icon } from "./icons.js";

// Each is loaded when it is opened first.
const VIEWS = {
  mails: () => import("./mails.js"),
  now: () => import("./now.js"),
  queue: () => import("./queue.js"),
  templates: () => import("./templates.js"),
};
const main = document.getElementById("main");
const context = { status: null, go };
let view = null;
let shown = "";
let turn = 0;
let troubled = "";

function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"]({}, "", path);
  show();
}

const decoded = (part) => { try { return decodeURIComponent(part); } catch { return part; } };

// The view that the address names, and what follows in it.
function addressed() {
  const [, name, ...rest] = location.pathname.split("/").map(decoded);
  return [Object.hasOwn(VIEWS, name) ? name : "mails", ...rest];
}

async function show() {
  const [chosen, ...rest] = addressed();
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === chosen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${chosen[0].toUpperCase()}${chosen.slice(1)} – ses-relay`;
  if (shown === chosen && view?.moved) {
    view.moved(rest);
    return;
  }
  const mine = ++turn;
  view?.close?.();
  view = null;
  shown = chosen;
  main.replaceChildren();
  const module = await VIEWS[chosen]().catch(() => null);
  if (mine !== turn) return;
  if (module) view = module.open(main, rest, context);
  else main.replaceChildren(h("p", { class: "lesson soft" }, "This view is loaded as soon as the relay answers."));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.target) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/") || url.hash) return;
  event.preventDefault();
  go(url.pathname + url.search);
});
window.addEventListener("popstate", show);

// The state of things, in words.

async function status() {
  try {
    context.status = await get("/api/v1/status");
  } catch (problem) {
    if (problem.status === 0) lost();
    else say("bad", problem.message);
    return;
  }
  back();
  const { transport, region, troubles, stopping, waiting, guard } = context.status;
  const mode = document.getElementById("mode");
  const does = transport === "capture" ? "captures, sends nothing" : `sends through SES ${region}`;
  mode.replaceChildren(icon(guard ? "shield" : transport === "capture" ? "inbox" : "send"), h("span", {}, guard ? `${does}, behind a guard` : does));
  mode.title = guard;
  mode.classList.toggle("ses", transport !== "capture");
  document.getElementById("waiting").textContent = waiting ? String(waiting) : "";
  if (stopping) say("wait", "Stopping: takes no more mail");
  else if (troubles.length) say("bad", troubles[0].text);
  else say("good", "All is well");
  // Only what is new is written: a cure that one reads stays open.
  if (troubled !== JSON.stringify([guard, troubles])) {
    troubled = JSON.stringify([guard, troubles]);
    const up = guard ? [h("div", { class: "notice" }, says("shield", `A guard is up: ${guard}.`))] : [];
    document.getElementById("trouble").replaceChildren(...up, ...troubles.map((one) => h("div", { class: "notice bad" },
      says("triangle-alert", h("strong", {}, one.text)), one.cure ? h("details", {}, h("summary", {}, "What to do"), h("pre", {}, one.cure)) : null)));
  }
  view?.status?.(context.status);
}

function say(how, text) {
  const health = document.getElementById("health");
  health.className = `health ${how}`;
  document.getElementById("health-text").textContent = text;
  health.title = text;
}

// What is seen stays, and says since when it is old: not at each break of a rough line.

const ROUGH = 4000; // milliseconds
let since = "";
let breaking = 0;

function lost() {
  say("bad", "The relay is gone; asking again …");
  if (since) return;
  since = clock(Date.now() / 1000);
  breaking = setTimeout(gone, ROUGH);
}

function gone() {
  document.getElementById("gone").replaceChildren(h("div", { class: "notice bad" },
    says("unplug", h("strong", {}, `The relay does not answer since ${since}.`), " What is seen here is from before; it is asked again all the time.")));
}

function back() {
  if (!since) return;
  since = "";
  clearTimeout(breaking);
  document.getElementById("gone").replaceChildren();
}

function listen() {
  const events = new EventSource("/api/v1/events");
  events.addEventListener("here", (event) => {
    status();
    if (!view) show();
    else if (view.here) view.here(JSON.parse(event.data));
    else view.again?.();
  });
  events.addEventListener("error", () => {
    lost();
    // A browser gives up after an answer that is no stream, such as 503.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
  events.addEventListener("mails", (event) => view?.mails?.(JSON.parse(event.data)));
  events.addEventListener("cleared", (event) => view?.cleared?.(JSON.parse(event.data)));
  events.addEventListener("point", (event) => { view?.point?.(JSON.parse(event.data)); status(); });
}

for (const one of document.querySelectorAll("[data-icon]")) one.replaceWith(icon(one.dataset.icon));

// Light and dark.

const root = document.documentElement;
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* forbidden */ }
  view?.themed?.();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view?.themed?.());

// Keys.

const keys = document.getElementById("keys");
document.getElementById("keys-button").addEventListener("click", () => keys.showModal());
let afterG = false; // until the next key, however long it takes: a slow page loses none
document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const place = afterG && { m: "/mails", n: "/now", t: "/templates", q: "/queue" }[event.key];
  afterG = event.key === "g";
  if (place) {
    event.preventDefault();
    go(place);
    main.focus();
  } else if (afterG) event.preventDefault();
  else if (event.key === "?") keys.showModal();
  else if (view?.key?.(event)) event.preventDefault();
});

// Not awaited at the top: a view imports this module, so that it would wait for itself.
async function start() {
  setInterval(ticked, 5000);
  VIEWS[addressed()[0]]().catch(() => {}); // on its way meanwhile; asked for again in show
  await status();
  if (location.pathname === "/") history.replaceState({}, "", "/mails");
  await show();
  listen();
}

start();
