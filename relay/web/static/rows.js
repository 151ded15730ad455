// The rows of the list that are in sight; of all others there is only their height.

import { ago, arrange, exact, h, ms, say, standing, stateOf } from "./dom.js";
import { plain } from "./withheld.js";

const OVER = 8; // rows above and below what is seen

export function drawnRows({ box, items, href, captures }) {
  const drawn = new Map(); // rows that stay are not made anew
  let newest = 0; // of those that were drawn
  let run = "";
  let tall = 0; // a row, when it was looked at last

  // Rows have two lines where there is little room: then all is as far down in them.
  function height() {
    const row = parseFloat(getComputedStyle(box).getPropertyValue("--row"));
    if (tall && row !== tall && box.clientHeight) {
      const [to, all] = [box.scrollTop, parseFloat(items.style.height)].map((one) => one * row / tall);
      items.style.height = `${all}px`;
      box.scrollTop = to;
    }
    if (box.clientHeight || !tall) tall = row;
    return tall;
  }
  const atTop = () => box.scrollTop < 2;

  // Where one reads: the first row in sight, and how far it is scrolled out; null: the top.
  function place(list) {
    if (!list.order.length || atTop()) return null; // to ask where costs a layout
    const row = height();
    const index = Math.min(Math.floor(box.scrollTop / row), list.order.length - 1);
    return { run: list.run, seq: list.order[index], offset: box.scrollTop - index * row };
  }

  // The same place in the list as it is now.
  function restore(list, where) {
    const row = height();
    items.style.height = `${list.order.length * row}px`;
    const to = where && where.run === list.run ? list.above(where.seq) * row + where.offset : 0;
    if (Math.abs(box.scrollTop - to) >= 1) box.scrollTop = to;
  }

  function draw(list, current) {
    const row = height();
    const count = list.order.length;
    items.style.height = `${count * row}px`;
    const first = Math.max(Math.floor(box.scrollTop / row) - OVER, 0);
    const last = Math.min(Math.ceil((box.scrollTop + box.clientHeight) / row) + OVER, count);
    const before = new Map(drawn);
    const follows = atTop() && run === list.run && newest > 0;
    drawn.clear();
    for (let at = first; at < last; at += 1) {
      const one = list.at(at);
      const key = `${one.seq} ${one.id}`;
      const line = before.get(key) ?? newLine(one, follows && one.seq > newest);
      drawn.set(key, line);
      line.item.setAttribute("aria-setsize", String(count));
      line.item.setAttribute("aria-posinset", String(at + 1));
      line.item.style.transform = `translateY(${at * row}px)`;
      line.write(one, current);
    }
    newest = list.order[0] ?? 0;
    run = list.run;
    arrange(items, [...drawn.values()].map(({ item }) => item));
    return last > count - 30; // older ones are needed soon
  }

  function newLine({ id, at }, fresh) {
    // The exact time is written when it is looked for: for all rows that takes longest.
    const when = h("span", { class: "time soft small", onpointerenter: () => { when.title = exact(at); } });
    const to = h("span", { class: "to" });
    const subject = h("span", { class: "subject", dir: "auto" });
    const usage = h("span", { class: "usage tag" });
    const took = h("span", { class: "ms soft small" });
    let state = h("span");
    let known = "";
    const link = h("a", { "data-id": id }, state, to, subject, usage, took, when);
    return {
      item: h("li", { class: fresh ? "fresh" : "" }, link),
      link,
      write(one, current) {
        link.href = href(id);
        if (id === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
        say(when, ago(at));
        say(to, `${one.to[0] ?? ""}${one.recipients > 1 ? ` +${one.recipients - 1}` : ""}`);
        subject.classList.toggle("soft", !one.subject);
        say(subject, captures() ? one.subject || "(no subject)" : plain(one.subject) || "(subject not kept)");
        say(usage, one.usage);
        const stands = standing(one);
        if (known !== stands) {
          const now = stateOf(stands);
          state.replaceWith(now);
          [state, known] = [now, stands];
        }
        say(took, ms(one.ms));
      },
    };
  }

  return {
    atTop,
    place,
    restore,
    draw,
    focus(id) { [...drawn.values()].find(({ link }) => link.dataset.id === id)?.link.focus({ preventScroll: true }); },
    show(index) {
      const row = height();
      if (index * row < box.scrollTop) box.scrollTop = index * row;
      if ((index + 1) * row > box.scrollTop + box.clientHeight) box.scrollTop = (index + 1) * row - box.clientHeight;
    },
  };
}
