// Small words for the DOM and for what people read.

import { icon, mark } from "./icons.js";

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  if (tag === "button") node.type = "button";
  for (const [name, value] of Object.entries(props)) {
    if ((value ?? false) === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name in node && name !== "list" && !name.startsWith("aria")) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((one) => (one ?? false) !== false));
  return node;
}

// Makes `wanted` the children of `parent` and moves nothing that stays: else what has
// the focus loses it, and a click that is half done is none.
export function arrange(parent, wanted) {
  const stays = new Set(wanted);
  for (const one of [...parent.children]) if (!stays.has(one)) one.remove();
  let place = parent.firstElementChild;
  for (const one of wanted) {
    if (one === place) place = place.nextElementSibling;
    else parent.insertBefore(one, place);
  }
}

// Only what differs is written, so that a selection stays.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const broken = (trouble) => h("div", { class: "notice bad", role: "alert" }, says("triangle-alert", trouble.message));

// Words that an icon stands before.
export const says = (name, ...words) => h("span", { class: "says" }, icon(name), h("span", {}, ...words));

// What there is to learn where nothing is to be seen yet.
export const lesson = (name, title, ...more) => h("div", { class: "lesson" }, h("div", { class: "emblem" }, icon(name)), h("h2", {}, title), ...more);

// Each state's word, and how it is.
export const STATES = {
  captured: ["Captured", "good"],
  sent: ["Sent", "good"],
  queued: ["Queued", "wait"],
  sending: ["Sending", "wait"],
  failed: ["Failed", "bad"],
  refused: ["Refused", "bad"],
  dropped: ["Dropped", "other"],
  repeated: ["Repeated", "other"],
  superseded: ["Superseded", "other"],
  delivered: ["Delivered", "good"],
  bounced: ["Bounced", "bad"],
  complained: ["Complained", "bad"],
  rejected: ["Rejected", "bad"],
};

// Where a mail stands: of one that SES has, what SES told since.
export const standing = (mail) => (mail.state === "sent" && mail.fate) || mail.state;

export function stateOf(state, more = "") {
  const [word, how] = STATES[state] ?? [state, "other"];
  return h("span", { class: `state ${state} ${how} ${more}`, title: word }, mark(state), h("span", { class: "word" }, word));
}

export function exact(at) {
  return new Date(at * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString();
}

export function ago(at, now = Date.now() / 1000) {
  const seconds = Math.max(now - at, 0);
  if (seconds < 5) return "now";
  return `${span(seconds)} ago`;
}

export function span(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function ms(value) {
  if ((value ?? null) === null) return "";
  return value < 10 ? `${value.toFixed(1)} ms` : value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function time(at) {
  return h("time", { class: "time soft", dateTime: new Date(at * 1000).toISOString(), title: exact(at) }, ago(at));
}

// A page that is not on loopback and has no TLS may not use the clipboard by its API.
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const area = h("textarea", { class: "skip", value: text, readOnly: true });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus();
    return done;
  }
}

// What says how long ago something was goes on saying so.
export function ticked() {
  for (const one of document.querySelectorAll("main time.time")) say(one, ago(Date.parse(one.dateTime) / 1000));
}

export function copier(text, what) {
  const button = h("button", { onclick: async () => {
    const done = await copied(text);
    button.replaceChildren(icon(done ? "check" : "info"), done ? "Copied" : "Select it to copy");
  } }, icon("copy"), `Copy ${what}`);
  return button;
}

// Tabs by arrow keys; `panels` are [name, () => node], made when first shown.
// On a phone not all of them fit.
function bringIn(list, button) {
  const left = button.offsetLeft - list.offsetLeft;
  if (left < list.scrollLeft || left + button.offsetWidth > list.scrollLeft + list.clientWidth) {
    list.scrollLeft = left - (list.clientWidth - button.offsetWidth) / 2;
  }
}

export function tabs(label, panels, chosen = 0, changed = () => {}) {
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label });
  const panel = h("div", { class: "panel", role: "tabpanel", tabIndex: 0 });
  const buttons = panels.map(([name], index) => h("button", {
    role: "tab", id: `tab-${label}-${index}`.replaceAll(" ", "-"),
    onclick: () => { show(index); changed(index); },
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = (index + step + panels.length) % panels.length;
      show(next);
      changed(next);
      buttons[next].focus();
    },
  }, name));
  function show(index) {
    buttons.forEach((one, at) => {
      one.setAttribute("aria-selected", String(at === index));
      one.tabIndex = at === index ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[index].id);
    panel.replaceChildren(panels[index][1]());
    node.shown = index;
    requestAnimationFrame(() => bringIn(list, buttons[index])); // once they have a place
  }
  list.append(...buttons);
  const node = h("div", { class: "panel" }, list, panel);
  node.show = show;
  show(Math.min(Math.max(chosen, 0), panels.length - 1));
  return node;
}

export async function ask(title, text, yes) {
  const dialog = document.getElementById("ask");
  document.getElementById("ask-title").textContent = title;
  document.getElementById("ask-text").textContent = text;
  document.getElementById("ask-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue === "yes";
}
