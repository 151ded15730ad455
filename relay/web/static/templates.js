// Templates: every usage and locale, rendered as one types.

import { get, post } from "./api.js";
import { arrange, ask, broken, bytes, copier, h, lesson, say, says, tabs, time } from "./dom.js";
import { framed } from "./frame.js";
import { icon } from "./icons.js";

const EXAMPLE = `[[templates]]
usageType = "SignIn"
subject = "Your code is {{code}}"
content = "<p>Your code is <b>{{code}}</b>.</p>"
`;

const at = (value, path) => path.split(".").reduce((one, name) => one?.[name], value);

function put(target, path, value) {
  const names = path.split(".");
  const last = names.pop();
  let here = target;
  for (const name of names) here = here[name] = typeof here[name] === "object" && here[name] !== null ? here[name] : {};
  here[last] = value;
}

export function open(main, rest, context) {
  let found = { templates: [], samples: {} };
  let usage = rest[0] ?? "";
  let locale = new URLSearchParams(location.search).get("locale") ?? "";
  let values = {}; // of the variables that the template names
  let fields = new Map(); // by the same names
  let hash = context.status?.settings.hash; // of the settings that are shown
  let listed = "";
  let timer = 0;
  let turn = 0;
  let asked = 0;
  let tab = 0;
  const usages = h("nav", { class: "usages", "aria-label": "Templates" });
  const read = h("div", { class: "read" });
  const news = h("p", { class: "notice wait", role: "status", hidden: true });
  const body = h("div", { class: "body" }, h("p", { class: "soft", role: "status" }, "Looking at all templates …"));
  main.append(h("div", { class: "templates" }, usages, body));

  const title = h("h1");
  const none = h("p", { class: "soft" }, "It has no variables.");
  const wrong = h("p", { class: "note bad", role: "status" });
  const json = h("textarea", { class: "mono", rows: 8, spellcheck: false, "aria-label": "Variables as JSON", oninput: () => {
    let made = null;
    try {
      made = JSON.parse(json.value);
      valid(made && typeof made === "object" && !Array.isArray(made) ? "" : "An object of variables is needed: {\"name\": value}");
    } catch (trouble) { valid(trouble.message); }
    if (wrong.textContent) return;
    values = made;
    fill();
    soon();
  } });
  const valid = (text) => {
    wrong.textContent = text;
    json.setAttribute("aria-invalid", String(Boolean(text)));
  };
  const whole = h("details", {}, h("summary", {}, "As JSON"), json, wrong);
  const to = h("input", { type: "email", autocomplete: "email", placeholder: "ann@example.com" });
  const answer = h("p", { role: "status" });
  const reads = h("p", { class: "soft" }, "Read-only: set web.user and web.passwordHash to send from here.");
  const send = h("button", { class: "primary", onclick: async () => {
    if (!to.value) { to.focus(); return; }
    if (context.status.transport !== "capture" && !await ask("Send it?", `One mail goes to ${to.value} through SES.`, "Send")) return;
    try {
      const { reply, id } = await post("/api/v1/templates/send", { usage, locale, variables: variables(), to: to.value });
      answer.replaceChildren(h("a", { href: `/mails/${id}` }, reply));
    } catch (trouble) { answer.textContent = trouble.message; }
  } }, icon("send"), "Send one");
  const inputs = h("div", { class: "form" });
  const form = h("section", { class: "form", "aria-label": "Variables" }, title, inputs, none, whole,
    h("hr"), h("label", {}, "Send one to", to), h("div", { class: "row" }, send), reads, answer);
  const place = h("section", { class: "panel", "aria-label": "Rendered" });

  const named = (one) => `${one.usage}${one.locale ? ` · ${one.locale}` : ""}`;
  const address = (one) => `/templates/${encodeURIComponent(one.usage)}${one.locale ? `?locale=${encodeURIComponent(one.locale)}` : ""}`;
  const chosen = () => found.templates.find((one) => one.usage === usage && one.locale === locale);

  async function load() {
    const mine = ++asked;
    try {
      const all = await get("/api/v1/templates");
      if (mine !== asked) return;
      found = all;
    } catch (trouble) {
      if (!found.templates.length) body.replaceChildren(broken(trouble));
      return;
    }
    if (!chosen() && fields.size) tellNews(`${named({ usage, locale })} is gone.`);
    if (!chosen() && found.templates.length) ({ usage, locale } = found.templates.find((one) => one.usage === usage) ?? found.templates[0]);
    choose();
  }

  function tellNews(text) {
    news.hidden = !text;
    say(news, text);
  }

  // What reload said last.
  function tell() {
    const { settings, mayWrite } = context.status ?? {};
    send.disabled = !mayWrite;
    reads.hidden = Boolean(mayWrite);
    if (!settings) return;
    const said = JSON.stringify(settings);
    if (read.dataset.said !== said) {
      read.dataset.said = said;
      read.replaceChildren(h("p", { class: "soft" }, "Settings ", h("code", {}, settings.hash), " in force, read ", time(settings.at)),
        settings.mistake ? h("div", { class: "notice bad" }, h("strong", {}, "What was read last has a mistake; the settings before it hold."), h("pre", {}, settings.mistake)) : "",
        settings.needsRestart.length ? h("p", { class: "notice wait" }, `Changed, and in force after a restart: ${settings.needsRestart.join(", ")}`) : "");
    }
    if (hash !== settings.hash) {
      if (hash) {
        tellNews("The settings were read again: these are the templates now, with what you typed.");
        load();
      }
      hash = settings.hash;
    }
  }

  // Each usage, with its locales below it.
  function groups() {
    const all = new Map();
    for (const one of found.templates) all.set(one.usage, [...all.get(one.usage) ?? [], one]);
    const link = (one, text) => h("a", { href: address(one), title: named(one), "aria-current": one === chosen() ? "true" : null },
      text, one.problems ? h("span", { class: "marks" }, icon("triangle-alert", `${one.problems} ${one.problems === 1 ? "problem" : "problems"}`), String(one.problems)) : "");
    return [...all.values()].map(([first, ...others]) => h("div", { class: first.usage === usage ? "group open" : "group" }, link(first, named(first)),
      others.length ? h("div", { class: "locales" }, others.map((one) => link(one, [h("span", { class: "skip" }, `${one.usage} · `), one.locale || "any"]))) : ""));
  }

  function choose() {
    const now = JSON.stringify([found.templates, usage, locale]);
    if (listed !== now) {
      usages.replaceChildren(...groups());
      usages.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    listed = now;
    tell();
    const template = chosen();
    if (!template) {
      body.replaceChildren(read, news, lesson("panels-top-left", "No template yet",
        h("p", {}, "These lines in the settings make one:"), h("pre", { tabIndex: 0 }, EXAMPLE), copier(EXAMPLE, "lines"),
        h("p", { class: "soft" }, "A mail asks for it with the headers ", h("code", {}, `${context.status?.usageHeader ?? "X-Relay-Usage"}: SignIn`), " and ", h("code", {}, `X-Relay-Variables: {"code": "123456"}`), ".")));
      return;
    }
    // What is there stays: who types goes on typing when the settings are read again.
    const names = template.variables.filter((name) => !name.startsWith("message."));
    const before = fields;
    fields = new Map(names.map((name) => [name, before.get(name) ?? field(name)]));
    for (const name of names) if (!before.has(name) && at(values, name) === undefined) put(values, name, structuredClone(at(samples(), name) ?? name));
    fill();
    if (!before.size) whole.open ||= [...fields.values()].some((one) => one.hidden);
    if (!wrong.textContent && (!json.value || JSON.stringify(JSON.parse(json.value)) !== JSON.stringify(values))) json.value = written();
    say(title, named(template));
    none.hidden = names.length > 0;
    whole.hidden = !none.hidden;
    arrange(inputs, [...fields.values()]);
    arrange(body, [read, news, form, place]);
    render();
  }

  const field = (name) => h("label", {}, name, h("input", { oninput: (event) => { put(values, name, event.target.value); json.value = written(); valid(""); soon(); } }));
  const written = () => JSON.stringify(values, null, 2);
  const samples = () => ({ ...found.samples, ...chosen()?.sample, ...(locale && { locale }) });

  // Lists and objects are seen as JSON alone.
  function fill() {
    for (const [name, label] of fields) {
      const value = at(values, name);
      const text = String(value ?? "");
      label.hidden = value !== null && typeof value === "object";
      if (label.lastElementChild.value !== text) label.lastElementChild.value = text;
    }
  }

  const variables = () => ({ ...samples(), ...values });

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(render, 120);
  }

  async function render() {
    const mine = ++turn;
    let made;
    try {
      made = await post("/api/v1/templates/render", { usage, locale, variables: variables() });
    } catch (trouble) {
      if (mine === turn) place.replaceChildren(broken(trouble));
      return;
    }
    if (mine !== turn) return;
    const panels = [];
    if (made.view) panels.push(["Mail", () => framed(made.view, { title: "The rendered mail" })]);
    const others = found.templates.filter((one) => one.usage === usage);
    if (made.view && others.length > 1) panels.push(["All locales", () => sides(others)]);
    panels.push(["Text", () => h("pre", { dir: "auto", tabIndex: 0 }, made.text)]);
    panels.push(["Source", () => h("pre", { class: "lines", tabIndex: 0 }, made.source.split("\n").map((line) => h("span", {}, line)))]);
    const tabbed = tabs("Parts of the template", panels, tab);
    const jump = (line) => {
      tabbed.show(panels.length - 1);
      const span = tabbed.querySelectorAll(".lines span")[line - 1];
      span?.classList.add("here");
      tabbed.querySelectorAll(".here").forEach((one) => one !== span && one.classList.remove("here"));
      span?.scrollIntoView({ block: "center" });
    };
    place.replaceChildren(
      h("div", { class: "head" }, h("h2", { dir: "auto" }, made.subject), h("p", { class: "soft who" }, `From ${made.from || "the client's own From"}${made.replyTo ? `, replies to ${made.replyTo}` : ""} · ${bytes(made.size)}`)),
      made.problems.length ? h("ul", { class: "problems", "aria-label": "Problems" }, made.problems.map((one) => h("li", { class: `says ${one.level}` },
        icon(one.level === "error" ? "x" : "triangle-alert", one.level), h("span", {}, one.line ? h("button", { onclick: () => jump(one.line) }, `line ${one.line}`) : "", one.line ? ` ${one.file && one.fileLine ? `(${one.file}:${one.fileLine}) ` : ""}` : "", one.text))))
        : h("p", { class: "state good" }, icon("check"), "No problems found"),
      tabbed);
    tabbed.addEventListener("click", () => { tab = tabbed.shown; });
  }

  // Every locale of the usage beside the others, with the same variables.
  function sides(others) {
    const place = h("div", { class: "panel" }, h("p", { class: "soft" }, "Rendering …"));
    Promise.all(others.map(async ({ locale: of }) => {
      const one = await post("/api/v1/templates/render", { usage, locale: of, variables: { ...variables(), locale: of || found.samples.locale } });
      return [`${of || "any"}: ${one.subject}`, one.view];
    })).then((all) => place.replaceChildren(framed(all.filter(([, view]) => view), { title: "The rendered mail" })),
      (trouble) => place.replaceChildren(broken(trouble)));
    return place;
  }

  load();
  return {
    moved([to]) {
      usage = to ?? found.templates[0]?.usage ?? "";
      locale = new URLSearchParams(location.search).get("locale") ?? "";
      values = {};
      fields = new Map();
      json.value = answer.textContent = "";
      valid("");
      tellNews("");
      choose();
    },
    again: load,
    status: tell,
    key(event) {
      const step = { j: 1, k: -1 }[event.key];
      if (!step || !found.templates.length) return false;
      const index = found.templates.indexOf(chosen());
      context.go(address(found.templates[Math.min(Math.max(index + step, 0), found.templates.length - 1)]));
      return true;
    },
    close() { clearTimeout(timer); },
  };
}
