// Plots on one time axis with one cursor; dragging marks a part of it, by mouse or finger.
// By uPlot, which is loaded here alone.

import { h } from "./dom.js";
import { fingers } from "./fingers.js";
import { day, minute, second } from "./points.js";

let plotter = null;
export const plotting = () => (plotter ??= Promise.all([
  h("link", { rel: "stylesheet", href: "/assets/uplot.css" }), h("script", { src: "/assets/uplot.js" }),
].map((one) => new Promise((done, failed) => {
  one.addEventListener("load", done);
  one.addEventListener("error", () => { one.remove(); failed(); });
  document.head.append(one);
}))).catch(() => { plotter = null; }));

const STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];
const HEIGHT = 148;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// An area is paler than its edge, and hides what is below it.
function pale(name) {
  const [over, under] = [colour(name), colour("--back")].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return `rgb(${over.map((one, i) => Math.round(0.5 * one + 0.5 * under[i]))})`;
}

// Times that are round for who reads them, in their zone.
function times(u, axis, from, until) {
  const room = Math.max(u.bbox.width / devicePixelRatio / 84, 1);
  const step = STEPS.find((one) => (until - from) / one <= room) ?? 86400;
  const ahead = -60 * new Date(from * 1000).getTimezoneOffset();
  const found = [];
  for (let at = Math.ceil((from + ahead) / step) * step - ahead; at <= until; at += step) found.push(at);
  return found;
}

function timeLabels(u, at) {
  const shown = at.length > 1 && at[1] - at[0] < 60 ? second : minute;
  return at.map((one, index) => {
    const today = day(one);
    return index && today !== day(at[index - 1]) ? `${shown(one)}\n${today}` : shown(one);
  });
}

const decades = (u, axis, low, high) => {
  const found = [];
  for (let power = Math.ceil(Math.log10(low) - 1e-9); 10 ** power <= high * 1.001; power += 1) found.push(10 ** power);
  return found;
};
const inDecades = (u, low, high) => {
  const first = Math.floor(Math.log10(low || 1));
  return [10 ** first, 10 ** Math.max(Math.ceil(Math.log10(high || 100)), first + 1)];
};

// `plots`: {box, lines: [{name, token, dash}], log, whole, unit(value) → text}; `moved(index)`
// hears of the cursor, `marked(from, until)` of what was dragged over, `spread(from, until)`
// of what two fingers made of the range, `out()` of a double click.
export function drawn(plots, { range, moved, marked, spread, out }) {
  const soft = colour("--soft");
  const line = colour("--line");
  const grid = { stroke: line, width: 1 };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: soft, font, grid, ticks: { ...grid, size: 4 }, gap: 4 };
  const width = (one) => Math.max(one.box.clientWidth, 240);
  const alone = (u, si) => u.data[si].flatMap((value, i, all) => (value !== null && (all[i - 1] ?? null) === null && (all[i + 1] ?? null) === null ? [i] : []));
  let pinched = null; // the range that two fingers make of it, as long as they do
  const made = plots.map((one) => {
    const steps = uPlot.paths.stepped({ align: -1 });
    const all = (u, splits) => splits;
    const u = new uPlot({
      width: width(one), height: HEIGHT, padding: [10, 28, 0, 0], legend: { show: false },
      cursor: { y: false, sync: { key: "now", setSeries: false }, drag: { x: true, y: false, setScale: false, dist: 6 }, points: { size: 7 }, bind: { dblclick: () => () => { out(); } } },
      select: { show: true, left: 0, top: 0, width: 0, height: 0 },
      scales: { x: { time: false, range: () => pinched ?? range() }, y: one.log ? { distr: 3, range: inDecades } : { range: (self, low, high) => [0, one.whole ? Math.max(high ?? 0, 4) : (high || 1) * 1.08] } },
      axes: [
        { ...axis, splits: times, values: timeLabels, size: (self, values) => (values?.some((text) => text.includes("\n")) ? 38 : 24) },
        { ...axis, size: 64, space: 32, values: (self, splits) => splits.map((value) => one.unit(value)),
          ...(one.log ? { splits: decades, filter: all, grid: { ...grid, filter: all }, ticks: { ...grid, filter: all } } : {}),
          ...(one.whole ? { incrs: [1, 2, 5].flatMap((x) => [x, 10 * x, 100 * x, 1e3 * x, 1e4 * x, 1e5 * x, 1e6 * x]).sort((a, b) => a - b) } : {}) },
      ],
      series: [{}, ...one.lines.map(({ name, token, dash, filled }) => ({
        label: name, stroke: colour(token), width: filled ? 1 : 1.5, dash, fill: filled ? pale(token) : undefined,
        paths: filled ? steps : undefined, points: { show: !filled, size: 4, filter: filled ? undefined : alone },
      }))],
      hooks: {
        setCursor: [(self) => moved(self.cursor.left >= 0 ? self.cursor.idx : null)],
        setSelect: [(self) => {
          const { left, width: wide } = self.select;
          if (wide > 0) marked(self.posToVal(left, "x"), self.posToVal(left + wide, "x"));
        }],
      },
    }, one.data, one.box);
    return u;
  });
  const resized = new ResizeObserver(() => made.forEach((u, i) => {
    if (plots[i].box.clientWidth) u.setSize({ width: width(plots[i]), height: HEIGHT });
  }));
  plots.forEach((one) => resized.observe(one.box));
  const x = (u, at) => Math.min(Math.max(u.valToPos(at, "x"), 0), u.over.clientWidth);
  // Where the cursor stands, and from where on a part is marked.
  function point(at, from = null) {
    made.forEach((u) => {
      const [left, start] = [x(u, at), x(u, from ?? at)];
      u.setCursor({ left, top: 1 }, false);
      u.setSelect({ left: Math.min(left, start), top: 0, width: Math.abs(left - start), height: u.over.clientHeight }, false);
    });
  }
  function leave() {
    made.forEach((u) => {
      u.setCursor({ left: -10, top: -10 }, false);
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    });
  }
  function scaled() {
    const [min, max] = pinched ?? range();
    made.forEach((u) => u.setScale("x", { min, max }));
  }
  made.forEach((u) => fingers(u.over, {
    dragged(from, to) {
      point(u.posToVal(to, "x"), u.posToVal(from, "x"));
      moved(u.posToIdx(to));
    },
    marked: (from, to) => marked(u.posToVal(from, "x"), u.posToVal(to, "x")),
    // The times that were below the fingers stay below them.
    spread(places, ended) {
      const [[a, left], [b, right]] = places.sort(([one], [other]) => one - other);
      const [low, high] = range();
      const wide = u.over.clientWidth;
      if (right - left < 16 || b - a < 1) return;
      const each = (high - low) / wide * (b - a) / (right - left);
      const from = low + (high - low) / wide * a - each * left;
      pinched = ended ? null : [from, from + each * wide];
      scaled();
      if (ended) spread(from, from + each * wide);
    },
    stopped() {
      pinched = null;
      scaled();
      leave();
      moved(null);
    },
  }));
  return {
    show(all) { made.forEach((u, i) => u.setData(all[i])); },
    point,
    leave,
    close() { resized.disconnect(); made.forEach((u) => u.destroy()); },
  };
}
