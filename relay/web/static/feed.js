// Asks the relay for what a list wants, one thing after the other, until it is told.

import { get } from "./api.js";

const FIRST = 100; // rows of the first answer, which comes with the document
const PAGE = 200; // rows of one answer
const CHANGES = 500;
const APART = 500; // milliseconds between two questions for what changed
const DEADLINE = 30000;

// `search()` is what the list is filtered by, `list()` the one that asks now, `needsOlder()`
// tells whether its end is near; `taken(asked, answer)` and `failed(problem)` are told.
export function feed({ search, list, needsOlder, taken, failed }) {
  let asks = false;
  let closed = false;
  let refused = null; // the list whose search the relay does not take
  let last = 0;
  let wake = () => {};
  let request = new AbortController();

  const pause = (time) => new Promise((done) => {
    const timer = setTimeout(done, time);
    wake = () => { clearTimeout(timer); done(); };
  });

  async function answer(asked) {
    const wanted = search();
    for (const [name, value] of Object.entries(asked)) wanted.set(name, String(value));
    wanted.set("limit", String(asked.changed !== undefined ? CHANGES : asked.before ? PAGE : FIRST));
    request = new AbortController();
    const mine = request;
    const timer = setTimeout(() => mine.abort(), DEADLINE);
    try {
      return await get(`/api/v1/mails?${wanted}`, { signal: mine.signal });
    } finally {
      clearTimeout(timer);
    }
  }

  async function ask() {
    if (asks) return;
    asks = true;
    let failures = 0;
    while (!closed) {
      const mine = list();
      if (mine === refused) break;
      const asked = (needsOlder() && mine.older) || mine.wants;
      if (!asked) break;
      if (asked.changed !== undefined && !mine.walk) {
        const early = last + APART - performance.now();
        if (early > 0) await pause(early);
        if (closed || mine !== list()) continue;
        last = performance.now();
      }
      try {
        const found = await answer(asked);
        failures = 0;
        if (!closed && mine === list()) taken(asked, found);
      } catch (problem) {
        if (closed || mine !== list()) continue;
        failed(problem);
        if (problem.status === 400) refused = mine;
        else await pause(Math.min(500 * 2 ** failures, 5000));
        failures += 1;
      }
    }
    asks = false;
  }

  return {
    ask,
    // Another search: what is on its way for the last one is in vain.
    anew() { request.abort(); wake(); ask(); },
    again() { wake(); ask(); },
    close() { closed = true; request.abort(); wake(); },
  };
}
