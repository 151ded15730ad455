// Now: four figures, three plots of the last hour on one time axis with one cursor.

import { get } from "./api.js";
import { h, ms, span } from "./dom.js";

const OUTCOMES = [["accepted", "--good"], ["queued", "--accent"], ["deferred", "--wait"], ["rejected", "--bad"], ["refused", "--other"], ["dropped", "--other"], ["repeated", "--other"]];

export function open(main, _, context) {
  let points = [];
  let now = {};
  let every = 5;
  let plots = [];
  const figures = h("dl", { class: "figures" });
  const holders = [
    ["Answers per second", "What clients heard, by class, stacked"],
    ["Time to the answer", "Median, 95th and 99th percentile in milliseconds"],
    ["Waiting mail and pace", "Mails that wait; recipients per second that may leave"],
  ].map(([title, label]) => ({ title, box: h("div", { role: "img", "aria-label": label }) }));
  const table = h("tbody");
  const problem = h("div", { role: "alert" });
  main.append(h("div", { class: "now" }, h("h1", {}, "Now"), problem, figures,
    ...holders.map(({ title, box }) => h("section", { class: "plot" }, h("h2", {}, title), box)),
    h("details", {}, h("summary", {}, "The last two minutes as a table"), h("table", {},
      h("thead", {}, h("tr", {}, ["Time", "Answers", "p50", "p95", "p99", "Waiting"].map((one) => h("th", { scope: "col" }, one)))), table))));

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function data() {
    const at = points.map((one) => one.at);
    const rates = OUTCOMES.map(([name]) => points.map((one) => (one.counts[name] ?? 0) / every));
    // Stacked: each line is the sum of those below it.
    const sums = [];
    rates.forEach((values, index) => sums.push(values.map((value, i) => value + (index ? sums[index - 1][i] : 0))));
    return [
      [at, ...sums.reverse()],
      [at, ...["p50", "p95", "p99"].map((name) => points.map((one) => one[name] || null))],
      [at, points.map((one) => one.waiting), points.map((one) => one.rate)],
    ];
  }

  function build() {
    plots.forEach((one) => one.destroy());
    plots = [];
    if (typeof uPlot === "undefined") return;
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const hour = () => { const end = points.at(-1)?.at ?? Date.now() / 1000; return [end - 3600, end]; };
    const base = { height: 180, cursor: { sync: { key: "now" } }, legend: { live: true } };
    const rate = (self, value) => (value === null || value === undefined ? "–" : value.toFixed(value < 10 ? 1 : 0));
    const line = (label, name, more = {}) => ({ label, stroke: colour(name), width: 1.5, points: { size: 4 }, ...more });
    const reversed = [...OUTCOMES].reverse();
    const options = [
      { scales: { x: { range: hour }, y: { range: (u, low, high) => [0, Math.max(high, 1)] } }, axes: [axis, { ...axis, size: 56 }], series: [{}, ...reversed.map(([name, token], index) => line(name, token, {
        fill: colour(token), points: { show: false },
        value: (self, value, _, i) => {
          if (i === null || i === undefined) return "–";
          const point = points[i];
          return point ? rate(self, (point.counts[name] ?? 0) / every) : "–";
        },
      }))] },
      { scales: { x: { range: hour }, y: { distr: 3 } }, axes: [axis, { ...axis, size: 56, values: (u, ticks) => ticks.map((one) => (one === null ? null : one >= 1000 ? `${one / 1000} s` : `${one} ms`)) }],
        series: [{}, ...[["p50", "--good"], ["p95", "--wait"], ["p99", "--bad"]].map(([name, token]) => line(name, token, { value: (self, value) => (value ? ms(value) : "–") }))] },
      { scales: { x: { range: hour }, y: { range: (u, low, high) => [0, Math.max(high ?? 0, 1)] }, pace: { range: (u, low, high) => [0, Math.max(high ?? 0, 1)] } },
        axes: [axis, { ...axis, size: 56 }, { ...axis, scale: "pace", side: 1, grid: { show: false }, size: 50 }],
        series: [{}, line("waiting", "--wait", { value: rate }), line("pace", "--accent", { scale: "pace", value: rate })] },
    ];
    const values = data();
    plots = options.map((one, index) => new uPlot({ ...base, ...one, width: Math.max(holders[index].box.clientWidth, 280) }, values[index], holders[index].box));
  }

  function draw() {
    const last = points.slice(-12);
    const minute = last.reduce((sum, one) => sum + Object.values(one.counts).reduce((a, b) => a + b, 0), 0);
    const worst = Math.max(0, ...last.map((one) => one.p95 ?? 0));
    const shown = [
      ["mails in the last minute", String(minute)],
      ["p95 of the answer", worst ? ms(worst) : "–"],
      ["waiting", now.waiting === null || now.waiting === undefined ? "no queue" : String(now.waiting)],
      ["age of the oldest", now.oldest ? span(now.oldest) : "–"],
    ];
    if (now.rate) shown.push(["pace, recipients per second", now.rate.toFixed(1)]);
    if (now.quota) shown.push(["of SES' daily quota used", `${Math.round(100 * (now.quotaUsed ?? 0) / now.quota)} %`]);
    figures.replaceChildren(...shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    table.replaceChildren(...points.slice(-24).reverse().map((one) => h("tr", {}, [
      new Date(one.at * 1000).toLocaleTimeString(), OUTCOMES.filter(([name]) => one.counts[name]).map(([name]) => `${one.counts[name]} ${name}`).join(", ") || "–",
      ms(one.p50) || "–", ms(one.p95) || "–", ms(one.p99) || "–", one.waiting ?? "–"].map((text) => h("td", {}, String(text))))));
    const values = data();
    plots.forEach((one, index) => one.setData(values[index]));
  }

  async function load() {
    try {
      const found = await get("/api/v1/figures");
      ({ points, now, every } = found);
      problem.replaceChildren();
    } catch (trouble) {
      problem.replaceChildren(h("div", { class: "notice bad" }, trouble.message));
    }
    draw();
  }

  load().then(() => { build(); draw(); });
  const resized = new ResizeObserver(() => plots.forEach((one, index) => one.setSize({ width: Math.max(holders[index].box.clientWidth, 280), height: 180 })));
  resized.observe(holders[0].box);
  return {
    async point(point) {
      points = [...points, point].slice(-720);
      now = { ...now, waiting: point.waiting, oldest: point.oldest, rate: point.rate };
      draw();
    },
    again: load,
    themed() { build(); draw(); },
    close() { resized.disconnect(); plots.forEach((one) => one.destroy()); },
  };
}
