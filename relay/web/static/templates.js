// Templates: every usage and locale, rendered as one types.

import { get, post } from "./api.js";
import { ask, bytes, copier, framed, h, tabs } from "./dom.js";

const EXAMPLE = `[[templates]]
usageType = "SignIn"
subject = "Your code is {{code}}"
content = """
<p>Your code is <b>{{code}}</b>.</p>
"""
`;

const at = (value, path) => path.split(".").reduce((one, name) => (one === null || one === undefined ? undefined : one[name]), value);

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
  let values = new Map();
  let timer = 0;
  let turn = 0;
  let tab = 0;
  const usages = h("nav", { class: "usages", "aria-label": "Templates" });
  const body = h("div", { class: "body" });
  main.append(h("div", { class: "templates" }, usages, body));

  const chosen = () => found.templates.find((one) => one.usage === usage && one.locale === locale);

  async function load() {
    try {
      found = await get("/api/v1/templates");
    } catch (trouble) {
      body.replaceChildren(h("p", { role: "alert" }, trouble.message));
      return;
    }
    if (!chosen() && found.templates.length) ({ usage, locale } = found.templates.find((one) => one.usage === usage) ?? found.templates[0]);
    choose();
  }

  function choose() {
    usages.replaceChildren(...found.templates.map((one) => h("a", {
      href: `/templates/${encodeURIComponent(one.usage)}${one.locale ? `?locale=${encodeURIComponent(one.locale)}` : ""}`,
      "aria-current": one.usage === usage && one.locale === locale ? "true" : null,
    }, one.usage, one.locale ? ` · ${one.locale}` : "", one.problems ? h("span", { class: "state queued", title: `${one.problems} problems` }, ` ⚠ ${one.problems}`) : "")));
    const template = chosen();
    if (!template) {
      body.replaceChildren(h("div", { class: "lesson" }, h("h1", {}, "No template yet"),
        h("p", {}, "These lines in the settings make one; a mail asks for it with the header X-Relay-Usage: SignIn."), h("pre", {}, EXAMPLE), h("div", {}, copier(EXAMPLE, "lines"))));
      return;
    }
    const names = template.variables.filter((name) => !name.startsWith("message."));
    const fields = names.map((name) => {
      if (!values.has(name)) {
        const sample = at(found.samples, name);
        values.set(name, typeof sample === "object" ? "" : String(sample ?? name));
      }
      return h("label", {}, name, h("input", { value: values.get(name), oninput: (event) => { values.set(name, event.target.value); soon(); } }));
    });
    const to = h("input", { type: "email", autocomplete: "email", placeholder: "ann@example.com" });
    const answer = h("p", { role: "status" });
    const may = context.status?.mayWrite;
    const send = h("button", { type: "button", class: "primary", disabled: !may, onclick: async () => {
      if (!to.value) { to.focus(); return; }
      if (context.status.transport !== "capture" && !await ask("Send it?", `One mail goes to ${to.value} through SES.`, "Send")) return;
      try {
        const { reply, id } = await post("/api/v1/templates/send", { usage, locale, variables: variables(), to: to.value });
        answer.replaceChildren(h("a", { href: `/mails/${id}` }, reply));
      } catch (trouble) { answer.textContent = trouble.message; }
    } }, "Send one");
    body.replaceChildren(
      h("section", { class: "form", "aria-label": "Variables" }, h("h1", {}, usage, locale ? ` · ${locale}` : ""),
        ...(fields.length ? fields : [h("p", { class: "soft" }, "It has no variables.")]),
        h("hr"), h("label", {}, "Send one to", to), h("div", { class: "row" }, send),
        may ? null : h("p", { class: "soft" }, "Read-only: set web.user and web.passwordHash to send from here."), answer),
      h("section", { class: "panel", id: "rendered", "aria-label": "Rendered" }));
    render();
  }

  function variables() {
    const made = structuredClone(found.samples);
    for (const name of chosen()?.variables ?? []) if (values.has(name)) put(made, name, values.get(name));
    return made;
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(render, 120);
  }

  async function render() {
    const mine = ++turn;
    const place = document.getElementById("rendered");
    if (!place) return;
    let made;
    try {
      made = await post("/api/v1/templates/render", { usage, locale, variables: variables() });
    } catch (trouble) {
      if (mine === turn) place.replaceChildren(h("p", { role: "alert", class: "notice bad" }, trouble.message));
      return;
    }
    if (mine !== turn) return;
    const panels = [];
    if (made.view) panels.push(["Mail", () => framed(made.view, { title: "The rendered mail" })]);
    panels.push(["Text", () => h("pre", { dir: "auto", tabIndex: 0 }, made.text)]);
    panels.push(["Source", () => h("pre", { class: "lines", tabIndex: 0 }, made.source.split("\n").map((line) => h("span", {}, line)))]);
    const tabbed = tabs("Parts of the template", panels, tab);
    const jump = (line) => {
      tabbed.show(panels.length - 1);
      const span = tabbed.querySelectorAll(".lines span")[line - 1];
      span?.classList.add("here");
      span?.scrollIntoView({ block: "center" });
    };
    place.replaceChildren(
      h("div", {}, h("h2", { dir: "auto" }, made.subject), h("p", { class: "soft who" }, `From ${made.from || "the client's own From"}${made.replyTo ? `, replies to ${made.replyTo}` : ""} · ${bytes(made.size)}`)),
      made.problems.length ? h("ul", { class: "problems", "aria-label": "Problems" }, made.problems.map((one) => h("li", { class: one.level }, one.level === "error" ? "✖ " : "⚠ ", one.line ? h("button", { type: "button", onclick: () => jump(one.line) }, `line ${one.line}`) : "", one.line ? " " : "", one.text))) : h("p", { class: "state sent" }, "✓ No problems found"),
      tabbed);
    tabbed.addEventListener("click", () => { tab = tabbed.shown; });
  }

  load();
  return {
    moved([to]) {
      usage = to ?? found.templates[0]?.usage ?? "";
      locale = new URLSearchParams(location.search).get("locale") ?? "";
      values = new Map();
      choose();
    },
    again: load,
    key(event) {
      const step = { j: 1, k: -1 }[event.key];
      if (!step || !found.templates.length) return false;
      const index = found.templates.findIndex((one) => one.usage === usage && one.locale === locale);
      const next = found.templates[Math.min(Math.max(index + step, 0), found.templates.length - 1)];
      context.go(`/templates/${encodeURIComponent(next.usage)}${next.locale ? `?locale=${encodeURIComponent(next.locale)}` : ""}`);
      return true;
    },
    close() { clearTimeout(timer); },
  };
}
