// A mail's HTML in frames without scripts, as tall as it is: at two widths, light and dark.

import { h, says } from "./dom.js";
import { icon } from "./icons.js";

const [LEAST, MOST] = [60, 30000]; // pixels; what is taller scrolls
const look = { width: "Desktop", scheme: "" }; // as it was chosen last; else the page's own

const scheme = () => look.scheme || (document.documentElement.dataset.theme === "dark" ? "Dark" : "Light");

// The document has no scripts and the page's origin, so the page may look into it; at
// no height it has that of its content. Nothing that one reads moves meanwhile.
function fit(frame) {
  const inside = frame.contentDocument;
  const hold = frame.parentElement;
  if (!inside?.body || !hold) return;
  const root = inside.documentElement;
  hold.style.height = `${hold.offsetHeight}px`;
  frame.style.height = "0";
  const bar = root.scrollWidth > root.clientWidth ? 16 : 0;
  const tall = Math.max(root.scrollHeight, inside.body.scrollHeight) + bar + 2;
  frame.style.height = `${Math.min(Math.max(tall, LEAST), MOST)}px`;
  hold.style.height = "";
}

function fitted(title) {
  const frame = h("iframe", { class: "frame", title, sandbox: "allow-same-origin allow-popups allow-popups-to-escape-sandbox" });
  let asked = 0;
  const soon = () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(() => fit(frame)); };
  const sizes = new ResizeObserver(soon);
  frame.addEventListener("load", () => {
    sizes.disconnect();
    fit(frame);
    const inside = frame.contentDocument;
    if (!inside?.body) return;
    sizes.observe(frame.parentElement);
    sizes.observe(inside.documentElement);
    // The page's keys work on, whatever was clicked in the mail.
    inside.addEventListener("keydown", (event) => {
      if (event.metaKey || event.ctrlKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
      document.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
    });
  });
  return frame;
}

function choice(label, options, chosen, act) {
  const buttons = Object.entries(options).map(([name, sign]) => h("button", {
    "aria-pressed": String(name === chosen), title: name, onclick: () => {
      buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.title === name)));
      act(name);
    },
  }, sign ? icon(sign, name) : name));
  return h("div", { class: "segment", role: "group", "aria-label": label }, buttons);
}

// `views`: an address, or several as [caption, address], side by side. `beside`: what one
// may have beside it, by name: [caption, (frame) => a node or its promise], where
// `frame(address, title)` makes a frame that goes with the others.
export function framed(views, { remote = 0, title, beside = {} }) {
  let asked = "";
  let frames = [];
  const load = (some = frames) => some.forEach(([one, address]) => {
    one.classList.toggle("dark", scheme() === "Dark");
    one.src = `${address}?${asked}fit=1&scheme=${scheme().toLowerCase()}`;
  });
  const wide = () => frames.forEach(([one]) => one.classList.toggle("phone", look.width === "Phone"));
  const frame = (address, name) => {
    const made = [fitted(name), address];
    frames.push(made);
    load([made]);
    wide();
    return h("div", { class: "hold" }, made[0]);
  };
  const all = typeof views === "string" ? [["", views]] : views;
  const sides = h("div", { class: all.length > 1 ? "sides" : "" }, all.map(([caption, address]) => h("figure", {},
    h("figcaption", { hidden: !caption }, caption), frame(address, `${title} ${caption}`.trim()))));
  const names = Object.keys(beside);
  const show = async (name) => {
    sides.querySelector(".other")?.remove();
    frames = frames.slice(0, all.length);
    sides.classList.toggle("sides", name !== "Alone");
    if (name === "Alone") return;
    const other = h("figure", { class: "other" }, h("figcaption", {}, beside[name][0]));
    sides.append(other);
    other.append(await beside[name][1](frame));
  };
  const notice = remote > 0 && h("div", { class: "notice wait row spread" },
    says("shield", `${remote} remote ${remote === 1 ? "item is" : "items are"} blocked: loading tells the sender that it was read.`),
    h("button", { onclick: () => { asked = "remote=1&"; load(); notice.remove(); } }, "Load remote content"));
  return h("div", { class: "panel" }, h("div", { class: "row" },
    choice("Width", { Desktop: "monitor", Phone: "smartphone" }, look.width, (name) => { look.width = name; wide(); }),
    choice("Colours", { Light: "sun", Dark: "moon" }, scheme(), (name) => { look.scheme = name; load(); }),
    names.length > 0 && choice("Beside it", Object.fromEntries(["Alone", ...names].map((name) => [name, ""])), "Alone", show)),
  notice, sides);
}
