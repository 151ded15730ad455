// Now: what is wrong in a sentence, figures of a range, and plots of it.

import { get } from "./api.js";
import { broken, h, say } from "./dom.js";
import { icon } from "./icons.js";
import { drawn, plotting } from "./plots.js";
import { RANGES, count, day, grown, joined, minute, ms, number, part, percentile, second, span, sum, tierFor } from "./points.js";

// What clients heard, and what SES answered, from the bottom of the stack to its top.
const HEARD = [["accepted", "--good"], ["queued", "--accent"], ["deferred", "--wait"], ["rejected", "--bad"], ["refused", "--other"], ["dropped", "--soft"], ["repeated", "--strong-line"]];
const GROUPS = [["accepted", "accepted", "--good"], ["throttled", "throttled", "--wait"], ["mail", "refused: the mail", "--other"], ["account", "refused: the account", "--bad"], ["unreachable", "no answer, or trouble", "--soft"]];
const PARTS = [["median (p50)", 0.5, "--good"], ["p95", 0.95, "--wait", [7, 3]], ["p99", 0.99, "--bad", [2, 3]]];
const SIGNS = { good: "check", wait: "clock", bad: "triangle-alert" };
const LEAST = 9; // seconds that are zoomed into: two points, which may be a little short
const LATE = 17000; // milliseconds without five more seconds until the relay counts as gone

export function open(main, _, context) {
  const tiers = {}; // by name: {every, points}
  let found = { now: {}, verdict: [], groups: {}, buckets: null };
  let range = "15m";
  let newest = null; // the point that came last
  let zoom = null; // [from, until] in Unix seconds
  let plots = null;
  let shown = []; // the points of the plots; null: a gap
  let visible = joined([]);
  let cursor = null; // an index in `shown`
  let mark = null; // the index where keys began to mark
  let keys = false; // they have the cursor, which then goes with its time and not the plots'
  let heard = Date.now();
  let told = "";
  let closed = false;
  const gone = () => Date.now() - heard > LATE;
  const captures = () => context.status?.transport === "capture";

  const problem = h("div");
  const sentences = h("div", { class: "verdict", role: "status" });
  const figures = h("dl", { class: "figures" });
  const meters = h("div", { class: "meters" });
  const notes = h("p", { class: "soft", hidden: true });
  const when = h("span", { class: "when" });
  const live = h("button", { hidden: true, onclick: () => go(range, null) }, "Back to live");
  const ranges = RANGES.map(([name, words]) => h("button", { value: name, onclick: () => go(name, null) }, words));
  const read = h("p", { class: "skip", role: "status" });
  const table = h("tbody");
  const area = h("div", { class: "plots", role: "group", tabIndex: 0, onkeydown: keyed, onblur: left, onpointermove: () => { keys = false; },
    "aria-label": "Plots. Arrows move the cursor, with Shift they mark, Enter zooms in, plus and minus zoom, Escape goes back." });
  main.append(h("div", { class: "now" },
    h("div", { class: "row spread" }, h("h1", {}, "Now"), h("div", { class: "row ranges", role: "group", "aria-label": "Range" }, ranges)),
    problem, sentences, figures, meters,
    h("div", { class: "row spread over" }, when, live), area, notes, read,
    h("details", {}, h("summary", {}, "As a table"), h("div", { class: "wide" }, h("table", {}, h("thead", {}, h("tr", {},
      ["Until", "Mails", "p50", "p95", "p99", "SES took", "SES did not", "Waiting", "Oldest"].map((one) => h("th", { scope: "col" }, one)))), table)))));

  // The range, and a part that was zoomed into, stand in the address.
  function moved() {
    const asked = new URLSearchParams(location.search);
    range = RANGES.some(([name]) => name === asked.get("range")) ? asked.get("range") : "15m";
    const [from, until] = ["from", "until"].map((name) => Number(asked.get(name)));
    zoom = from > 0 && until > from ? [from, until] : null;
    left();
    load();
  }

  function left() {
    mark = null;
    cursor = null;
    keys = false;
    plots?.leave();
    legends();
  }

  function go(name, part) {
    const asked = new URLSearchParams({ range: name });
    if (part) { asked.set("from", Math.floor(part[0])); asked.set("until", Math.ceil(part[1])); }
    history.pushState({}, "", `/now?${asked}`);
    moved();
  }

  const end = () => Object.values(tiers).reduce((last, { points }) => Math.max(last, points.at(-1)?.at ?? 0), 0) || Date.now() / 1000;
  const seconds = () => RANGES.find(([name]) => name === range)[2];
  const bounds = () => zoom ?? [end() - seconds(), end()];
  const tier = () => tierFor(zoom ? end() - zoom[0] - 5 : seconds());

  const add = (name, point) => { tiers[name].points = grown(tiers[name], point, RANGES.find(([one]) => one === name)[2]); };

  async function load(anew = false) {
    const name = tier();
    try {
      if (anew || !tiers[name]) {
        const { points, every, ...rest } = await get(`/api/v1/figures?range=${name}`);
        if (closed) return;
        if (anew) for (const one of Object.keys(tiers)) delete tiers[one];
        tiers[name] = { every, points };
        // It may have come while the answer was on its way.
        if (newest?.at > points.at(-1)?.at) add(name, newest);
        found = rest;
        heard = Date.now();
      }
      problem.replaceChildren();
      if (name !== tier()) return void load(); // as far back as the relay's clock says
    } catch (trouble) {
      if (!closed) problem.replaceChildren(broken(trouble));
    }
    draw();
  }

  // What is in each plot: its lines, and a line's value at a point.
  function layout() {
    const rate = Math.max(...shown.map((one) => (one ? sum(one.counts) / one.seconds : 0)), 0);
    const per = rate && rate < 1 ? [60, "/min"] : [1, "/s"];
    const of = (counted) => (one) => per[0] * counted(one) / (one.seconds || 1);
    const each = (value) => `${number(value)}${per[1]}`;
    const stack = (names) => names.map(([name, label, token, counted]) => ({ name: label, token, filled: true, value: of(counted), there: counted(visible) > 0 || name === "accepted" }));
    const all = [
      { title: "What clients heard", what: "mails", unit: each, stacked: true,
        lines: stack(HEARD.map(([name, token]) => [name, name, token, (one) => one.counts[name] ?? 0])) },
      { title: "Time to the answer", what: "log scale", unit: ms, log: true,
        lines: PARTS.map(([name, at, token, dash]) => ({ name, token, dash, value: (one) => (found.buckets ? percentile(one, at, found.buckets) : null) })) },
    ];
    if (!captures()) {
      all.splice(1, 0, { title: "What SES answered", what: "calls", unit: each, stacked: true,
        lines: stack(GROUPS.map(([group, label, token]) => [group, label, token, (one) => sum(one.answers, found.groups[group] ?? [])])) });
    }
    const { waiting, rate: pace } = found.now;
    if ((waiting ?? null) !== null) all.push({ title: "Waiting mail", what: "mails", unit: count, whole: true, lines: [{ name: "waiting", token: "--accent", filled: true, value: (one) => one.waiting }] });
    if (!captures() && (pace ?? null) !== null) all.push({ title: "Pace", what: "recipients", unit: (value) => `${number(value)}/s`, lines: [{ name: "may leave", token: "--accent", value: (one) => one.rate }] });
    return all;
  }

  function data(one) {
    const x = shown.map((point, i) => point?.at ?? shown[i - 1].at + 0.1);
    const values = one.lines.map(({ value }) => shown.map((point) => (point ? value(point) : null)));
    // Stacked: each line is the sum of those below it, and is drawn before them.
    if (one.stacked) values.forEach((row, i) => { if (i) values[i] = row.map((value, at) => (value === null ? null : value + values[i - 1][at])); });
    return [x, ...(one.stacked ? values.reverse() : values)];
  }

  function draw() {
    const name = tier();
    const { points, every } = tiers[name] ?? { points: [], every: 5 };
    const [from, until] = bounds();
    const [last, began] = [shown[cursor]?.at, shown[mark]?.at];
    const inside = points.filter((one) => one.at > from + 0.01 && one.at - one.seconds < until);
    visible = joined(inside);
    shown = inside.flatMap((one, i) => (i && one.at - one.seconds - inside[i - 1].at > every ? [null, one] : [one]));
    const where = (at) => { const index = shown.findIndex((one) => one && one.at >= at && one.at - one.seconds < at); return index < 0 ? null : index; };
    cursor = where(last);
    mark = where(began);
    ranges.forEach((one) => one.setAttribute("aria-pressed", String(!zoom && one.value === range)));
    live.hidden = !zoom;
    judged();
    counted();
    measured();
    notes.hidden = !captures();
    say(notes, "This relay captures: it sends nothing, so there are no answers of SES, no pace and no quota.");
    table.replaceChildren(...inside.slice(-24).reverse().map((one) => h("tr", {}, [
      second(one.at), count(sum(one.counts)), ...PARTS.map(([, at]) => ms(found.buckets && percentile(one, at, found.buckets))),
      count(one.answers.accepted ?? 0), count(sum(one.answers) - (one.answers.accepted ?? 0)),
      one.waiting === null ? "–" : count(one.waiting), span(one.oldest)].map((text) => h("td", {}, text)))));
    plotted();
    if (!keys) return;
    if (cursor === null) left(); // that time is over
    else queueMicrotask(() => { if (keys) plots?.point(shown[cursor].at, shown[mark]?.at); }); // once they have the new times
  }

  let frames = [];
  let kinds = "";
  function plotted() {
    const all = layout();
    const now = all.map(({ title, unit, lines }) => title + lines.length + unit(0)).join();
    if (kinds !== now || !plots) {
      plots?.close();
      plots = null;
      kinds = now;
      frames = all.map((one) => ({ legend: h("ul", { class: "legend", role: "list" }), box: h("div", { class: "canvas", role: "img", "aria-label": one.title }) }));
      area.replaceChildren(...all.map((one, i) => h("section", { class: "plot" },
        h("h2", {}, one.title, h("span", { class: "soft" }, ` ${one.what}`)), frames[i].legend, frames[i].box)));
    }
    frames.forEach((frame, i) => Object.assign(frame, all[i], { data: data(all[i]), lines: all[i].lines }));
    if (typeof uPlot !== "undefined" && !plots) {
      plots = drawn(frames.map((one) => ({ ...one, lines: one.stacked ? [...one.lines].reverse() : one.lines })), {
        range: bounds,
        moved: (index) => { if (!keys && index !== cursor) { cursor = index; legends(); } },
        marked: (a, b) => zoomed(a, b),
        spread,
        out: () => { if (zoom) go(range, null); },
      });
    } else plots?.show(frames.map((one) => one.data));
    legends();
  }

  // At the cursor, or of all that is shown.
  function legends() {
    const at = shown[cursor] ?? null;
    const point = at ?? visible;
    frames.forEach((one) => one.legend.replaceChildren(...one.lines.filter(({ there }) => there !== false).map((line) => {
      const value = point.seconds ? line.value(point) : null;
      const swatch = h("span", { class: `swatch ${line.filled ? "area" : line.dash ? (line.dash[0] > 5 ? "dashed" : "dotted") : ""}`, ariaHidden: "true" });
      swatch.style.color = `var(${line.token})`;
      return h("li", {}, swatch, `${line.name} `, h("b", {}, value === null ? "–" : one.unit(value)));
    })));
    const [from, until] = bounds();
    const date = (moment) => new Date(1000 * moment).toDateString();
    const several = date(from) !== date(until);
    const days = several || date(until) !== date(Date.now() / 1000) ? `${day(from)}, ` : "";
    const clock = until - from < 600 ? second : minute;
    say(when, at ? `${days && `${day(at.at)}, `}${second(at.at - at.seconds)} – ${second(at.at)}`
      : `${days}${clock(from)} – ${several ? `${day(until)}, ` : ""}${clock(until)}${zoom || gone() ? "" : ", live"}`);
  }

  // The relay's own words; what one reads of a cure stays open.
  function judged() {
    const all = gone() ? [{ level: "bad", text: `These figures ended at ${second(end())}: the relay does not answer.` }] : found.verdict;
    if (told === JSON.stringify(all)) return;
    told = JSON.stringify(all);
    sentences.replaceChildren(...all.map(({ level, text, cure, see }) => h("div", { class: `sentence ${level}` }, icon(SIGNS[level], { good: "Well", wait: "Look at it", bad: "Trouble" }[level]),
      h("div", {}, h("p", {}, text, see ? [" ", h("a", { href: see }, "Show them")] : ""),
        cure ? h("details", {}, h("summary", {}, "What to do"), h("p", {}, cure)) : null))));
  }

  function counted() {
    const mails = sum(visible.counts);
    const calls = sum(visible.answers);
    const of = (at) => (found.buckets && mails ? ms(percentile(visible, at, found.buckets)) : "–");
    const { waiting, oldest } = found.now;
    const all = [
      [visible.seconds ? number(60 * mails / visible.seconds) : "–", "mails a minute", `${count(mails)} in all`],
      [of(0.95), "to the answer, p95", `p50 ${of(0.5)}, p99 ${of(0.99)}`],
      (waiting ?? null) === null ? ["–", "waiting", "no queue here"] : [count(waiting), "waiting now", waiting ? (oldest === null ? "none of it is late" : `the oldest for ${span(oldest)}`) : "nothing waits"],
    ];
    if (captures() && (waiting ?? null) === null) all.pop();
    if (!captures()) all.splice(2, 0, [calls ? part((visible.answers.accepted ?? 0) / calls) : "–", "of calls SES took", `${count(visible.answers.accepted ?? 0)} of ${count(calls)}`]);
    figures.replaceChildren(...all.map(([value, name, more]) => h("div", {}, h("dt", {}, name), h("dd", {}, value), h("dd", { class: "soft" }, more))));
  }

  function measured() {
    const { accounts = [], ...first } = found.now;
    const several = accounts.length > 1;
    const meter = (name, value, most, text) => {
      const fill = h("span");
      fill.style.width = `${Math.min(100 * value / most, 100)}%`;
      const full = value / most;
      return h("div", {}, h("span", {}, name), h("span", { class: `meter ${full >= 1 ? "bad" : full >= 0.8 ? "wait" : ""}`, role: "meter", "aria-label": name, "aria-valuemin": "0", "aria-valuenow": String(value), "aria-valuemax": String(most), "aria-valuetext": text }, fill), h("span", { class: "soft" }, text));
    };
    const all = captures() ? [] : (several ? accounts : [first]).flatMap((one) => {
      const name = several ? ` of ${one.account}` : "";
      const slow = one.rate !== null && one.fullRate && one.rate < one.fullRate;
      const pace = one.fullRate ? meter(`Pace${name}`, one.rate ?? 0, one.fullRate, `${number(one.rate ?? 0)} of at most ${number(one.fullRate)} recipients/s${slow ? ", slowed by SES" : ""}`) : null;
      pace?.querySelector(".meter").classList.remove("bad", "wait");
      return [pace, one.quota ? meter(`Quota${name}`, one.quotaUsed ?? 0, one.quota, `${count(one.quotaUsed ?? 0)} of ${count(one.quota)} recipients in 24 h`) : null];
    });
    meters.replaceChildren(...all.filter(Boolean));
  }

  function zoomed(a, b) {
    const [low, high] = bounds();
    const [from, until] = [Math.max(Math.min(a, b), low), Math.min(Math.max(a, b), high)];
    if (until - from >= LEAST) go(range, [from, until]);
    else left();
  }

  // By two fingers: wider than the whole range is all of it.
  function spread(a, b) {
    const [last, whole] = [end(), seconds()];
    const wide = b - a;
    if (wide < LEAST || (wide >= whole && !zoom)) left();
    else if (wide >= whole) go(range, null);
    else {
      const until = Math.min(Math.max(b, last - whole + wide), last);
      go(range, [until - wide, until]);
    }
  }

  // By keys, all that the mouse does.
  function keyed(event) {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const { key } = event;
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12, Home: -Infinity, End: Infinity }[key];
    const [from, until] = bounds();
    const middle = shown[cursor]?.at ?? (from + until) / 2;
    if (step && shown.length) {
      const before = cursor ?? (step < 0 ? shown.length : -1);
      if (!event.shiftKey) mark = null;
      else mark ??= cursor ?? (step < 0 ? shown.length - 1 : 0);
      let next = Math.min(Math.max(before + step, 0), shown.length - 1);
      if (!shown[next]) next += Math.sign(step);
      cursor = next;
      keys = true;
      plots?.point(shown[next].at, shown[mark]?.at);
      legends();
      say(read, `${when.textContent}: ${frames.map((one) => `${one.title} ${[...one.legend.children].map((line) => line.textContent).join(", ")}`).join("; ")}`);
    } else if (key === "Enter" && mark !== null && shown[cursor]) {
      const ends = [shown[mark], shown[cursor]].sort((a, b) => a.at - b.at);
      zoomed(ends[0].at - ends[0].seconds, ends[1].at);
    } else if (key === "+" || key === "=") zoomed(middle - (until - from) / 4, middle + (until - from) / 4);
    else if (key === "-" && zoom) {
      const wide = until - from;
      if (2 * wide >= seconds()) go(range, null);
      else go(range, [middle - wide, Math.min(middle + wide, end())]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  moved();
  plotting().then(() => { if (!closed) draw(); });
  const watch = setInterval(() => { if (gone()) { judged(); legends(); } }, 2000);
  return {
    moved,
    point({ point, ...rest }) {
      newest = point;
      for (const name of Object.keys(tiers)) add(name, point);
      found = { ...found, ...rest };
      heard = Date.now();
      draw();
    },
    async again() {
      newest = null; // another run of the relay may have another clock
      await Promise.all([load(true), plotting()]);
      if (!closed) draw();
    },
    key(event) {
      if (event.key !== "Escape" || !(zoom || mark !== null)) return false;
      if (mark !== null) left(); else go(range, null);
      return true;
    },
    themed() { plots?.close(); plots = null; draw(); },
    close() { closed = true; clearInterval(watch); plots?.close(); },
  };
}
