// Views by address, the state of things, live events, keys.

import { get } from "./api.js";
import { h } from "./dom.js";
import * as mails from "./mails.js";
import * as now from "./now.js";
import * as queue from "./queue.js";
import * as templates from "./templates.js";

const VIEWS = { mails, now, templates, queue };
const main = document.getElementById("main");
const context = { status: null, go };
let view = null;
let shown = "";
let troubled = "";

function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"]({}, "", path);
  show();
}

function show() {
  const [, name = "mails", ...rest] = location.pathname.split("/").map(decodeURIComponent);
  const chosen = VIEWS[name] ? name : "mails";
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === chosen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${chosen[0].toUpperCase()}${chosen.slice(1)} – ses-relay`;
  if (shown === chosen && view?.moved) {
    view.moved(rest);
    return;
  }
  view?.close?.();
  shown = chosen;
  main.replaceChildren();
  view = VIEWS[chosen].open(main, rest, context);
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
    say("bad", problem.status === 0 ? "The relay is gone; asking again …" : problem.message);
    return;
  }
  const { transport, region, troubles, stopping, waiting, guard } = context.status;
  const mode = document.getElementById("mode");
  mode.textContent = transport === "capture" ? "captures, sends nothing" : `sends through SES ${region}`;
  if (guard) mode.textContent += ", behind a guard";
  mode.title = guard;
  mode.classList.toggle("ses", transport !== "capture");
  document.getElementById("waiting").textContent = waiting ? String(waiting) : "";
  if (stopping) say("wait", "Stopping: takes no more mail");
  else if (troubles.length) say("bad", troubles[0].text);
  else say("good", "All is well");
  // Only what is new is written: a cure that one reads stays open.
  if (troubled !== JSON.stringify([guard, troubles])) {
    troubled = JSON.stringify([guard, troubles]);
    const up = guard ? [h("div", { class: "notice" }, `A guard is up: ${guard}.`)] : [];
    document.getElementById("trouble").replaceChildren(...up, ...troubles.map((one) => h("div", { class: "notice bad" },
      h("strong", {}, one.text), one.cure ? h("details", {}, h("summary", {}, "What to do"), h("pre", {}, one.cure)) : null)));
  }
  view?.status?.(context.status);
}

function say(how, text) {
  const health = document.getElementById("health");
  health.className = `health ${how}`;
  document.getElementById("health-text").textContent = text;
  health.title = text;
}

function listen() {
  const events = new EventSource("/api/v1/events");
  events.addEventListener("open", () => { status(); view?.again?.(); });
  events.addEventListener("error", () => {
    say("bad", "The relay is gone; asking again …");
    // A browser gives up after an answer that is no stream, such as 503.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
  events.addEventListener("mails", (event) => view?.mails?.(JSON.parse(event.data)));
  events.addEventListener("cleared", () => view?.again?.());
  events.addEventListener("point", (event) => { view?.point?.(JSON.parse(event.data)); status(); });
}

// Light and dark.

const root = document.documentElement;
document.getElementById("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const current = root.dataset.theme ?? (dark ? "dark" : "light");
  root.dataset.theme = current === "dark" ? "light" : "dark";
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

await status();
if (location.pathname === "/") history.replaceState({}, "", "/mails");
show();
listen();
