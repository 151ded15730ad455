// Small words for the DOM and for what people read.

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name in node && name !== "list" && !name.startsWith("aria")) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
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

export const STATES = {
  captured: ["◉", "Captured", "good"],
  sent: ["✓", "Sent", "good"],
  queued: ["◷", "Queued", "wait"],
  sending: ["…", "Sending", "wait"],
  failed: ["✕", "Failed", "bad"],
  refused: ["⊘", "Refused", "bad"],
  dropped: ["⌫", "Dropped", "other"],
  repeated: ["⟳", "Repeated", "other"],
  superseded: ["↷", "Superseded", "other"],
};

export function stateOf(state, more = "") {
  const [glyph, word] = STATES[state] ?? ["?", state];
  return h("span", { class: `state ${state} ${more}` }, h("span", { ariaHidden: "true" }, `${glyph} `), word);
}

export function exact(at) {
  return new Date(at * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
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
  if (value === null || value === undefined) return "";
  return value < 10 ? `${value.toFixed(1)} ms` : value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function time(at) {
  return h("time", { class: "time soft", dateTime: new Date(at * 1000).toISOString(), title: exact(at) }, ago(at));
}

export function copier(text, what) {
  const button = h("button", { type: "button", onclick: async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } }, `Copy ${what}`);
  return button;
}

// Tabs by arrow keys; `panels` are [name, () => node], made when first shown.
export function tabs(label, panels, chosen = 0) {
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label });
  const panel = h("div", { class: "panel", role: "tabpanel", tabIndex: 0 });
  const buttons = panels.map(([name], index) => h("button", {
    type: "button", role: "tab", id: `tab-${label}-${index}`.replaceAll(" ", "-"),
    onclick: () => show(index),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = (index + step + panels.length) % panels.length;
      show(next);
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
  }
  list.append(...buttons);
  const node = h("div", { class: "panel" }, list, panel);
  node.show = show;
  show(Math.min(chosen, panels.length - 1));
  return node;
}

// A mail's HTML in a frame without scripts, at two widths; remote content when asked.
export function framed(view, { remote = 0, title }) {
  const frame = h("iframe", { class: "frame", title });
  frame.setAttribute("sandbox", "");
  frame.src = view;
  const widths = ["Desktop", "Phone"].map((name) => h("button", {
    type: "button", "aria-pressed": String(name === "Desktop"),
    onclick: (event) => {
      frame.classList.toggle("phone", name === "Phone");
      widths.forEach((one) => one.setAttribute("aria-pressed", String(one === event.currentTarget)));
    },
  }, name));
  const notice = remote > 0 && h("div", { class: "notice wait row spread" },
    h("span", {}, `${remote} remote ${remote === 1 ? "item is" : "items are"} blocked: loading tells the sender that it was read.`),
    h("button", { type: "button", onclick: () => { frame.src = `${view}?remote=1`; notice.remove(); } }, "Load remote content"));
  return h("div", { class: "panel" }, h("div", { class: "row" }, ...widths), notice, frame);
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
