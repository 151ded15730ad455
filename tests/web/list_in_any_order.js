// A relay, the list of a page, and all that is on its way between the two. What happens is
// drawn and played here, in the browser, for tests/web/test_list.py: it is many steps.

const [PAGE, CHANGES, BUNDLE] = [3, 4, 3]; // rows of an answer and of a bundle: few, to need many

class Relay {
  constructor(filtered, run) {
    Object.assign(this, { filtered, run, changes: 0, last: 0, told: 0, gone: [] });
    this.mails = new Map(); // by number: the number of its change, and whether it fits
  }

  change(seq, fits) { this.mails.set(seq, { rev: ++this.changes, fits }); }
  come(fits) { this.change(++this.last, fits); }
  clear() { this.changes += 1; this.mails.clear(); this.gone = []; }
  delete(seq) { this.mails.delete(seq); this.gone.push([seq, ++this.changes]); }
  deleted(since) { return this.gone.filter(([, rev]) => rev > since).map(([seq]) => seq); }

  get mark() {
    const oldest = this.mails.size ? Math.min(...this.mails.keys()) : this.last + 1;
    return { run: `run ${this.run}`, asOf: this.changes, oldest };
  }

  row(seq) { return { seq, rev: this.mails.get(seq).rev }; }
  takes(seq) { return !this.filtered || this.mails.get(seq).fits; }
  get newestFirst() { return [...this.mails.keys()].sort((a, b) => b - a); }

  answer({ changed, before = Infinity, after = -1 }) {
    const [mails, gone] = [[], changed === undefined ? [] : this.deleted(changed)];
    let more = false;
    for (const seq of this.newestFirst) {
      if (seq >= before || seq <= after) continue;
      if (changed !== undefined && this.mails.get(seq).rev <= changed) continue;
      if (!this.takes(seq)) {
        if (changed !== undefined) gone.push(seq);
      } else if (mails.length === (changed === undefined ? PAGE : CHANGES)) {
        more = true;
        break;
      } else mails.push(this.row(seq));
    }
    return { mails, gone, next: more ? mails.at(-1).seq : null, kept: this.mails.size, ...this.mark };
  }

  bundle() {
    const since = Math.min(this.told, this.changes);
    this.told = this.changes;
    const changed = this.newestFirst.filter((seq) => this.mails.get(seq).rev > since);
    const more = changed.length > BUNDLE;
    const told = more ? this.newestFirst.slice(0, BUNDLE + 1) : changed;
    return { mails: told.map((seq) => this.row(seq)), gone: this.deleted(since), more, since, ...this.mark };
  }
}

function expect(found, wanted, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${what}: ${one} and not ${other}`);
}

class Play {
  constructor(filtered) {
    this.relay = new Relay(filtered, 1);
    this.list = new List({ filtered });
    this.answers = [];
    this.events = [];
  }

  ask(what) {
    const asked = this.list[what];
    if (asked) this.answers.push([asked, this.relay.answer(asked)]);
    return Boolean(asked);
  }

  receive(index) {
    const [[asked, answer]] = this.answers.splice(index, 1);
    this.list.take(asked, structuredClone(answer));
  }

  // Events come in their order, or not at all.
  hear() {
    const [how, event] = this.events.shift();
    this.list[how](event);
  }

  // The stream opens anew; what was on its way is lost.
  connect() {
    this.events = [["here", this.relay.mark]];
    this.relay.told = this.relay.changes;
  }

  step(word, number) {
    const { relay, list, answers } = this;
    if (word === "come") for (let each = 0; each <= number % 5; each += 1) relay.come((number >> each) % 3 > 0);
    else if (word === "change" && relay.mails.size) relay.change(relay.newestFirst[number % relay.mails.size], number % 2 > 0);
    else if (word === "forget" && relay.mails.size) {
      relay.mails.delete(Math.min(...relay.mails.keys()));
      relay.come(number % 2 > 0);
    }
    else if (word === "delete" && relay.mails.size) relay.delete(relay.newestFirst[number % relay.mails.size]);
    else if (word === "clear" && number % 4 === 0) {
      relay.clear();
      relay.told = relay.changes;
      this.events.push(["here", relay.mark]);
    } else if (word === "restart" && number % 4 === 0) {
      this.relay = new Relay(relay.filtered, relay.run + 1);
      this.connect();
    } else if (word === "bundle") this.events.push(["hear", relay.bundle()]);
    else if (word === "hear" && this.events.length) this.hear();
    else if (word === "break") this.connect();
    else if (word === "wants" || word === "older") this.ask(word);
    else if (word === "read") list.read(list.order[number % (list.order.length + 1)] ?? null);
    else if (answers.length) {
      const index = number % answers.length;
      if (word === "receive") this.receive(index);
      else if (word === "twice") answers.push(answers[index]);
      else if (word === "lose") answers.splice(index, 1);
    }
  }

  // What is on its way comes; then all that the list asks is answered.
  settle() {
    while (this.answers.length) this.receive(0);
    while (this.events.length) this.hear();
    this.connect();
    this.hear();
    let count = 0;
    while (this.ask("wants")) {
      this.receive(0);
      if ((count += 1) > 200) throw new Error("the list never ends asking");
    }
    this.there();
  }

  // The list has what the relay has, from its lowest row on, as it is now.
  there() {
    const { list, relay } = this;
    const wanted = relay.newestFirst.filter((seq) => seq >= list.low && relay.takes(seq));
    expect(list.order, wanted, "the rows");
    expect(wanted.map((seq) => list.rows.get(seq)), wanted.map((seq) => relay.row(seq)), "what they say");
  }

  // A list that knows of nothing to ask is right, however it got there.
  believes() {
    const { list, relay } = this;
    if (list.run === relay.mark.run && !list.wants && list.clock === relay.changes) this.there();
  }

  // Of what comes now, all that is above what one reads is counted.
  counts() {
    const { list, relay } = this;
    if (!list.order.length) return;
    const before = new Set(list.order);
    list.read(null);
    list.read(list.order.at(-1));
    expect([...list.fresh], [], "new, before anything came");
    for (const fits of [true, false, true]) relay.come(fits);
    this.events.push(["hear", relay.bundle()]);
    this.settle();
    expect([...list.fresh].sort((a, b) => b - a), list.order.filter((seq) => !before.has(seq)), "new");
    expect(list.fresh.size, relay.filtered ? 2 : 3, "how many are new");
  }

  older() {
    while (this.ask("older")) {
      this.receive(0);
      this.settle();
    }
    expect(this.list.low, 0, "the lowest row");
    this.there();
  }
}

// Each as often as it stands here.
const STEPS = `come come change change change bundle bundle hear hear hear wants wants wants older
  older receive receive receive receive twice lose break forget delete clear restart read`.split(/\s+/);

function play(filtered, steps) {
  const played = new Play(filtered);
  for (const [word, number] of steps) {
    played.step(word, number);
    played.believes();
  }
  played.settle();
  played.counts();
  played.older();
}

function trouble(filtered, steps) {
  try {
    play(filtered, steps);
    return "";
  } catch (error) {
    return error.message;
  }
}

// Plays so many orders of `seed`; says what is wrong with the first that is, made short.
window.playMany = (seed, count) => {
  let state = seed;
  const below = (limit) => { // Numerical Recipes' generator; its high bits
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
  for (let one = 0; one < count; one += 1) {
    const filtered = below(2) > 0;
    let steps = Array.from({ length: 20 + below(40) }, () => [STEPS[below(STEPS.length)], below(31)]);
    if (!trouble(filtered, steps)) continue;
    for (let at = steps.length - 1; at >= 0; at -= 1) {
      const fewer = steps.toSpliced(at, 1);
      if (trouble(filtered, fewer)) steps = fewer;
    }
    return `${trouble(filtered, steps)}, ${filtered ? "with" : "without"} a search, after ${steps.map((step) => step.join(" ")).join(", ")}`;
  }
  return "";
};
