// What is known of the list of mails, and what has to be asked next; no DOM, no network.
//
// The relay numbers its mails (`seq`), each change of one (`rev`), and says as of which
// change an answer or event is true (`asOf`). So they may come in any order, twice or not
// at all: what is newer counts, and what was missed is asked for.
// All mails that fit, from `low` on, are in `rows`, as they were at the change `clock`.

export class List {
  constructor({ filtered = false } = {}) {
    this.filtered = filtered; // events are of all mails, so the relay has to choose
    this.rows = new Map(); // by number
    this.order = []; // the numbers, the newest first
    this.fresh = new Set(); // those that came above what one reads
    this.reading = null; // the number of the first row in sight; null: the top
    this.run = ""; // of the relay: after another start all numbers begin anew
    this.low = 0;
    this.clock = -1; // nothing is known yet
    this.heard = 0; // of changes up to this one
    this.oldest = 0; // number that the relay keeps
    this.kept = 0;
    this.walk = null; // what changed, read page by page
    this.stranger = ""; // another start that an answer was of
  }

  get known() { return this.clock >= 0; }

  // What is to be asked now, as the API takes it; null: nothing.
  get wants() {
    if (!this.known) return {};
    if (this.clock >= this.heard && !this.walk) return null;
    const asked = { changed: this.walk ? this.walk.since : this.clock };
    if (this.walk) asked.before = this.walk.next;
    if (this.low > 0) asked.after = this.low - 1;
    return asked;
  }

  // What is to be asked for older rows; null: they are all here.
  get older() { return this.known && this.low > 0 ? { before: this.low } : null; }

  // The stream has opened: `mark` says how far the relay is.
  here(mark) {
    if (mark.run !== this.run) {
      if (this.run) this.#forget();
      this.run = mark.run;
    }
    this.#heed(mark);
  }

  // A bundle of changes: all of them after its `since`, unless there are `more`; then it
  // has the newest rows, all that one sees who reads at the top.
  hear(bundle) {
    this.here(bundle);
    const { mails, gone, more, since, asOf } = bundle;
    if (!this.known || this.filtered || asOf <= this.clock) return;
    if (more) {
      if (this.reading === null) this.#top(bundle);
      return;
    }
    if (since > this.clock) return;
    for (const seq of gone) this.rows.delete(seq);
    for (const one of mails) if (one.seq >= this.low) this.#put(one, true);
    this.clock = Math.max(this.clock, asOf);
    if (this.walk && this.clock >= this.walk.until) this.walk = null;
    this.#sort();
  }

  // What was further down is asked for when one comes there.
  #top({ mails, asOf, oldest }) {
    this.rows.clear();
    for (const one of mails) this.#put(one, false);
    const lowest = mails.at(-1)?.seq ?? 0;
    this.low = lowest > oldest ? lowest : 0;
    this.clock = asOf;
    this.walk = null;
    this.#sort();
  }

  // The answer to what was asked: by `wants`, or by `older`.
  take(asked, answer) {
    if (this.run && answer.run !== this.run) {
      // It may be late, from before a start; so only the second one is believed.
      if (answer.run === this.stranger) this.#forget();
      else this.stranger = answer.run;
      return;
    }
    this.run = answer.run;
    this.stranger = "";
    this.#heed(answer);
    this.kept = answer.kept;
    if (asked.changed === undefined) this.#page(asked, answer);
    else this.#changes(asked, answer);
    this.#sort();
  }

  #page(asked, { mails, next, asOf }) {
    const first = asked.before === undefined;
    if (first === this.known || (!first && asked.before !== this.low)) return; // no longer asked for
    if (first) {
      this.rows.clear();
      this.clock = asOf;
    }
    for (const one of mails) this.#put(one, false);
    this.low = next ?? 0;
    // Older than what is known: what happened since then is asked for once more.
    this.clock = Math.min(this.clock, asOf);
    if (this.walk && this.walk.since > this.clock) this.walk = null;
  }

  #changes(asked, { mails, gone, next, asOf }) {
    const since = asked.changed;
    // Of what is known already a late answer has nothing but what is gone since.
    if (!this.known || since > this.clock || asOf <= this.clock) return;
    for (const seq of gone) {
      const known = this.rows.get(seq);
      if (known && known.rev <= asOf) this.rows.delete(seq);
    }
    for (const one of mails) if (one.seq >= this.low) this.#put(one, true);
    // It says nothing of rows that were not there yet when it was asked for; nor does a
    // page of a walk that was given up say that all are read.
    if ((asked.after ?? -1) >= this.low) return;
    const walk = this.walk?.since === since && this.walk.next === asked.before ? this.walk : null;
    if (asked.before !== undefined && !walk) return;
    const until = walk?.until ?? asOf;
    this.walk = next === null ? null : { since, until, next };
    if (next === null) this.clock = Math.max(this.clock, until);
  }

  // Where one reads: what comes above it is new, until one has been there.
  read(seq) {
    this.reading = seq;
    if (seq === null) this.fresh.clear();
    else for (const one of this.fresh) if (one <= seq) this.fresh.delete(one);
  }

  at(index) { return this.rows.get(this.order[index]); }

  // How many rows stand above this number, whether or not it is there itself.
  above(seq) {
    let [low, high] = [0, this.order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.order[middle] > seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #put(one, isNew) {
    const known = this.rows.get(one.seq);
    if (one.seq < this.oldest || (known && known.rev >= one.rev)) return;
    this.rows.set(one.seq, one);
    if (isNew && !known && this.reading !== null && one.seq > this.reading) this.fresh.add(one.seq);
  }

  // What any answer and event says of all mails.
  #heed({ asOf, oldest }) {
    this.heard = Math.max(this.heard, asOf);
    this.oldest = Math.max(this.oldest, oldest);
    for (const seq of this.rows.keys()) if (seq < this.oldest) this.rows.delete(seq);
    this.#sort();
  }

  // All is asked anew; what is seen stays until the answer is there.
  #forget() {
    this.run = this.stranger = "";
    this.clock = -1;
    this.heard = this.oldest = 0;
    this.walk = null;
    this.fresh.clear();
  }

  #sort() {
    const has = this.order.length === this.rows.size && this.order.every((seq) => this.rows.has(seq));
    if (!has) this.order = [...this.rows.keys()].sort((a, b) => b - a);
    for (const seq of this.fresh) if (!this.rows.has(seq)) this.fresh.delete(seq);
  }
}
