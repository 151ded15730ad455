// A rule for a captured mail: proposed, changed and tried as one types, copied as TOML.

import { get, post } from "./api.js";
import { copier, h, says } from "./dom.js";
import { framed } from "./frame.js";
import { icon } from "./icons.js";

const LABELS = {
  sender: "MAIL FROM", from: "From", recipient: "Recipient", subject: "Subject", body: "Text",
  listener: "Listener", user: "User", client: "Client",
};

export async function maker(mail, content) {
  const address = `/api/v1/mails/${encodeURIComponent(mail.id)}/rule`;
  const proposed = await get(address);
  const { rule, usages, others } = proposed;
  const conditions = [];
  const patterns = [];
  let timer = 0;
  let turn = 0;
  let serial = 0;
  let number = 0;
  let made = null;

  // One line of the form; its note says what came of it. An expression may be long.
  function line(list, all, label, value, more = {}) {
    const id = `rule-${serial += 1}`;
    const note = h("span", { class: "note soft", id: `${id}-note` });
    const input = h(all === patterns ? "textarea" : "input", {
      id, value, class: "mono", autocomplete: "off", dir: all === patterns ? "ltr" : "auto", "aria-describedby": note.id, oninput: soon, rows: 1,
      onkeydown: (event) => { if (event.key === "Enter") event.preventDefault(); },
    });
    const one = { ...more, input, note };
    const remove = h("button", { class: "quiet", title: "Remove", "aria-label": `Remove ${label}`, onclick: () => {
      all.splice(all.indexOf(one), 1);
      item.remove();
      soon();
    } }, icon("x"));
    const item = h("li", {}, h("label", { htmlFor: id }, label), input, remove, note);
    all.push(one);
    list.append(item);
    return input;
  }

  const conditionList = h("ol", { class: "lines-of-rule", role: "list", "aria-label": "Conditions" });
  const patternList = h("ol", { class: "lines-of-rule", role: "list", "aria-label": "Patterns" });
  const condition = (name, value) => line(conditionList, conditions, LABELS[name], value, { name });
  const header = (name, value) => line(conditionList, conditions, `Header ${name}`, value, { name: `header.${name}`, header: name });
  const pattern = (value) => line(patternList, patterns, `Pattern ${number += 1}`, value);
  const chosen = Object.entries(rule).filter(([name]) => name in LABELS);
  const chosenHeaders = Object.entries(rule.header ?? {});
  for (const [name, value] of chosen) condition(name, value);
  for (const [name, value] of chosenHeaders) header(name, value);
  for (const value of rule.extract ?? []) pattern(value);

  // What would hold as well, to be added, and what was removed.
  function adder(label, choices) {
    const select = h("select", { "aria-label": label, onchange: () => {
      const input = choices[select.value][1]();
      select.value = "";
      soon();
      input.focus();
    } }, h("option", { value: "" }, `${label} …`), choices.map(([text], index) => h("option", { value: String(index) }, text)));
    return select;
  }
  const peer = mail.peer && mail.peer !== "unix" ? { client: mail.peer } : {};
  const moreConditions = adder("Add a condition", [
    ...[...chosen, ...Object.entries({ ...others.conditions, ...peer })].map(([name, value]) => [`${LABELS[name]}: ${value}`, () => condition(name, value)]),
    ...[...chosenHeaders, ...others.headers].map(([name, value]) => [`Header ${name}: ${value}`, () => header(name, value)]),
  ]);
  const morePatterns = adder("Add a pattern", [...[...(rule.extract ?? []), ...others.extract].map((value) => [value, () => pattern(value)]), ["An empty one", () => pattern("(?P<name>)")]]);

  const name = h("input", { value: rule.name, oninput: soon, dir: "auto" });
  const usage = h("select", { onchange: soon }, usages.map((one) => h("option", { value: one }, one)), h("option", { value: "" }, "no template"));
  usage.value = rule.usage ?? "";
  const locale = h("input", { oninput: soon, placeholder: "none" });

  // Of two lines for one thing, one that holds is enough: a list.
  const put = (table, key, value) => { table[key] = key in table ? [table[key], value].flat() : value; };

  function given() {
    const found = { name: name.value };
    const headers = {};
    for (const one of conditions) {
      if (one.header) put(headers, one.header, one.input.value);
      else put(found, one.name, one.input.value);
    }
    if (Object.keys(headers).length) found.header = headers;
    if (usage.value) found.usage = usage.value;
    if (locale.value) found.locale = locale.value;
    const extract = patterns.map((one) => one.input.value);
    if (extract.length) Object.assign(found, { variablesFrom: "text", extract });
    return found;
  }

  const verdict = h("p", { class: "verdict", role: "status" });
  const toml = h("div", { class: "panel" });
  const caption = h("figcaption", {});
  const result = h("div", { class: "panel" });

  const SIGN = { good: "check", bad: "x" };
  const worded = (how, text) => (text && SIGN[how] ? says(SIGN[how], text) : text);

  function judged(how, text) {
    verdict.className = `verdict ${how}`;
    verdict.replaceChildren(worded(how, text));
  }

  function said(one, how, text) {
    one.note.className = `note ${how}`;
    one.note.replaceChildren(worded(how, text));
    one.input.setAttribute("aria-invalid", String(how === "bad"));
  }

  // `rule: subject = '/(/': is no expression …`: the field is beside it.
  const reason = (problem) => problem.replace(/^rule(?:: )?/, "").split("\n")[0];

  function show(found) {
    const byName = new Map(found.conditions.map((one) => [one.name, one]));
    for (const one of conditions) {
      const its = byName.get(one.name);
      if (!its) said(one, "soft", "");
      else if (its.holds) said(one, "good", "holds");
      else said(one, "bad", its.problem ? reason(its.problem) : "does not hold for this mail");
    }
    patterns.forEach((one, index) => {
      const its = found.extract[index];
      if (!its) { said(one, "soft", ""); return; }
      const values = Object.entries(its.variables).map(([key, value]) => `${key} = ${value}`);
      if (its.problem) said(one, "bad", reason(its.problem));
      else if (values.length) said(one, "good", values.join(" · "));
      else said(one, "bad", "finds nothing in this mail");
    });
    const names = Object.keys(found.variables);
    const finds = names.length ? ` and finds ${names.join(", ")}` : "";
    const whole = found.holds && !found.missing.length && !found.obstacle;
    judged(whole ? "good" : "bad", found.holds && found.obstacle ? `The rule holds for this mail, but ${usage.value} would have it refused: ${found.obstacle}.`
      : whole ? `The rule holds for this mail${finds}.`
        : found.problem ? reason(found.problem)
          : found.holds ? `The rule holds for this mail, but finds nothing by ${found.missing.length} of its patterns: notFound says what becomes of it.`
            : "The rule does not hold for this mail.");
    toml.replaceChildren(...(found.toml ? [h("pre", { tabIndex: 0, "aria-label": "The rule as TOML" }, found.toml), h("div", { class: "row" }, copier(found.toml, "TOML"), h("span", { class: "soft" }, "It goes into the settings file; of several rules the first that holds counts."))]
      : [h("p", { class: "soft" }, "There is no TOML until all above can be read.")]));
    const mine = found.rendered;
    caption.textContent = usage.value ? `As ${usage.value} makes it${mine ? `: ${mine.subject}` : ""}` : "Without a template it stays as it is";
    const key = JSON.stringify([mine?.html, mine?.text, found.obstacle, usage.value]);
    if (key === made) return; // the frame does not flicker while one types
    made = key;
    if (mine?.view) result.replaceChildren(framed(mine.view, { title: "The templated mail" }));
    else if (mine) result.replaceChildren(h("pre", { dir: "auto", tabIndex: 0 }, mine.text));
    else result.replaceChildren(h("p", { class: "notice" }, found.obstacle || (usage.value ? "Nothing to show yet." : "Choose a usage to see its template.")));
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(attempt, 150);
  }

  async function attempt() {
    const mine = ++turn;
    let found;
    try {
      found = await post(address, { rule: given() });
    } catch (trouble) {
      if (mine === turn) judged("bad", trouble.message);
      return;
    }
    if (mine === turn) show(found);
  }

  const original = content.html !== null ? framed(`/view/${mail.id}`, { remote: content.remote, title: "The mail as it came" })
    : h("pre", { dir: "auto", tabIndex: 0 }, content.text);
  await attempt();
  return h("div", { class: "inner maker" },
    h("a", { class: "says", href: `/mails/${mail.id}${location.search}` }, icon("arrow-left"), "The mail"),
    h("div", { class: "head" }, h("h1", {}, "Make a rule"), h("p", { class: "soft who", dir: "auto" }, `for mail like “${mail.subject || "(no subject)"}”`)),
    mail.rule && h("p", { class: "notice" }, `It has the rule “${mail.rule}” already: a new one counts only above it. From and headers that it sets are seen here as they left.`),
    verdict,
    h("div", { class: "halves" },
      h("section", { class: "form", "aria-label": "Which mail" }, h("h2", {}, "Which mail"), h("p", { class: "soft" }, "All must hold. * stands for anything; between slashes it is an expression."), conditionList, moreConditions),
      h("section", { class: "form", "aria-label": "What is found in it" }, h("h2", {}, "What is found in it"), h("p", { class: "soft" }, "Each named group of an expression is a variable of the template."), patternList, morePatterns,
        h("h2", {}, "What it becomes"), h("label", {}, "Usage", usage), h("label", {}, "Locale", locale), h("label", {}, "Name of the rule", name))),
    h("div", { class: "halves" },
      h("figure", { class: "panel" }, h("figcaption", {}, "As it came"), original),
      h("figure", { class: "panel" }, caption, result)),
    h("section", { class: "panel", "aria-label": "To copy" }, h("h2", {}, "The rule"), toml));
}
