// Points of time: several as one, percentiles of that, and numbers as the reader writes them.

export const RANGES = [["5m", "5 min", 300], ["15m", "15 min", 900], ["1h", "1 h", 3600], ["6h", "6 h", 21600], ["24h", "24 h", 86400]];

// The finest tier that the relay keeps for so long ago.
export const tierFor = (seconds) => (seconds <= 3600 ? "1h" : seconds <= 21600 ? "6h" : "24h");

const added = (maps) => {
  const all = {};
  for (const map of maps) for (const [name, count] of Object.entries(map)) all[name] = (all[name] ?? 0) + count;
  return all;
};
const known = (points, name) => points.map((one) => one[name]).filter((one) => one !== null);
const most = (values) => (values.length ? Math.max(...values) : null);

// As the relay does it: buckets of times add up, so a percentile of many points is right.
export function joined(points) {
  const times = new Map();
  for (const one of points) {
    for (let i = 0; i < one.times.length; i += 2) times.set(one.times[i], (times.get(one.times[i]) ?? 0) + one.times[i + 1]);
  }
  const rates = known(points, "rate");
  return {
    at: points.at(-1)?.at ?? 0,
    seconds: points.reduce((sum, one) => sum + one.seconds, 0),
    counts: added(points.map((one) => one.counts)),
    answers: added(points.map((one) => one.answers)),
    times: [...times].sort(([a], [b]) => a - b).flat(),
    waiting: most(known(points, "waiting")),
    oldest: most(known(points, "oldest")),
    rate: rates.length ? Math.min(...rates) : null,
  };
}

// Milliseconds that `part` of the mails did not exceed, off by the buckets' error at most.
export function percentile({ times }, part, { least, growth, last, error }) {
  let rest = 0;
  for (let i = 1; i < times.length; i += 2) rest += times[i];
  rest *= part;
  for (let i = 0; i < times.length; i += 2) {
    rest -= times[i + 1];
    const bucket = Math.min(times[i], last - 1);
    if (rest <= 0) return least * growth ** bucket * (times[i] > 0 && times[i] < last ? 1 - error : 1);
  }
  return null;
}

// Adds five seconds to a tier, in which a point is `every` seconds.
export function grown({ every, points }, point, seconds) {
  if (points.at(-1)?.at === point.at) return points; // the relay's answer had it already
  const kept = points.filter((one) => one.at < point.at && one.at > point.at - seconds - every);
  const last = kept.at(-1);
  const same = last && every > point.seconds && Math.floor(last.at / every) === Math.floor(point.at / every);
  return same ? [...kept.slice(0, -1), joined([last, point])] : [...kept, point];
}

export const sum = (map, names = Object.keys(map)) => names.reduce((all, name) => all + (map[name] ?? 0), 0);

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumSignificantDigits: 3 });
export const count = (value) => whole.format(value);
export const number = (value) => (value >= 1000 ? whole : three).format(value);
export const part = (value) => percent.format(value);
export const ms = (value) => ((value ?? null) === null ? "–" : value < 1000 ? `${three.format(value)} ms` : value < 2e5 ? `${three.format(value / 1000)} s` : `${three.format(value / 6e4)} min`);
export const span = (seconds) => ((seconds ?? null) === null ? "–" : seconds < 120 ? `${whole.format(seconds)} s` : seconds < 7200 ? `${whole.format(seconds / 60)} min` : seconds < 172800 ? `${three.format(seconds / 3600)} h` : `${whole.format(seconds / 86400)} d`);

// What is written from right to left keeps its place between what is not.
const isolated = (text) => (/[\u0590-\u08ff]/.test(text) ? `\u2068${text}\u2069` : text);
const format = (options) => { const made = new Intl.DateTimeFormat(undefined, options); return (at) => isolated(made.format(at * 1000)); };
export const minute = format({ hour: "2-digit", minute: "2-digit" });
export const second = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const day = format({ day: "numeric", month: "short" });
