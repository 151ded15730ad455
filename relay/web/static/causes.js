// Why mail waits: a card for each cause with its cure, how old it is, and what moves all of it.

import { arrange, copier, exact, h, say, span } from "./dom.js";

export const number = (count) => count.toLocaleString();
export const mails = (count) => `${number(count)} ${count === 1 ? "mail" : "mails"}`;

// The reader's own time, with the day where it is another.
export function clock(at) {
  const day = new Date(at * 1000);
  const today = day.toDateString() === new Date().toDateString();
  return day.toLocaleString(undefined, { dateStyle: today ? undefined : "medium", timeStyle: "short" });
}

export function nextTry(due) {
  const left = due - Date.now() / 1000;
  return left > 1 ? `next try in ${span(left)} (${clock(due)})` : "goes as soon as it may";
}

// Parts of all, each as wide as it counts; what each is stands beside it in words.
export function bar() {
  const node = h("div", { class: "ages", ariaHidden: "true" });
  return {
    node,
    write(counts) {
      while (node.children.length < counts.length) node.append(h("span"));
      counts.forEach((count, at) => {
        node.children[at].style.flexGrow = String(count);
        node.children[at].hidden = !count;
      });
    },
  };
}

const UNITS = [[86400, "d", "d"], [3600, "h", "h"], [60, "m", "min"]];
const unit = (seconds) => UNITS.find(([size]) => seconds >= size);
const word = (seconds) => { const [size, letter] = unit(seconds); return `${seconds / size}${letter}`; };
const plain = (seconds) => { const [size, , name] = unit(seconds); return `${seconds / size} ${name}`; };

// The name of each age, and the words that search for it.
export const agesOf = (bounds) => [...bounds, null].map((upto, at) => {
  const from = bounds[at - 1];
  const name = upto === null ? `over ${plain(from)}` : at ? `${plain(from)} to ${plain(upto)}` : `under ${plain(upto)}`;
  return { name, q: [upto && `since:${word(upto)}`, at && `until:${word(from)}`].filter(Boolean).join(" ") };
});

export function causes({ choose, act }) {
  const list = h("ul", { class: "causes" });
  const cards = new Map(); // cards that stay are not made anew

  function newCard(key) {
    let group = null;
    const count = h("strong", { class: "many" });
    const title = h("button", { class: "quiet cause", onclick: () => choose(group) }, count, h("span", { class: "soft" }, " × "));
    const name = h("span");
    title.append(name);
    const facts = h("p", { class: "soft" });
    const ages = bar();
    const cure = h("p");
    const more = h("div", { class: "row said" });
    const button = (what) => h("button", { onclick: () => act(what, group) });
    const retry = button("retry");
    const drop = button("drop");
    const item = h("li", { "data-key": key }, h("div", { class: "row spread" }, h("h2", {}, title), h("div", { class: "row" }, retry, drop)), facts, ages.node, cure, more);
    let known = "";
    return {
      item,
      write(one, { several, alone, both, chosen, may, paused }) {
        group = one;
        say(count, number(one.mails));
        say(name, [both && one.state === "failed" && "Failed", one.title, several && `account ${one.account}`].filter(Boolean).join(" · "));
        title.setAttribute("aria-pressed", String(chosen));
        const waits = one.state === "queued";
        const held = paused[one.account];
        const next = one.due !== null && one.dueNow < one.mails && !held && (one.dueNow
          ? `${number(one.dueNow)} due now` : one.cause === "later" ? `first ${clock(one.due)}` : nextTry(one.due));
        const lanes = Object.entries(one.priorities).filter(([, many]) => many);
        say(facts, [
          waits && held && "waits until sending goes on",
          waits && next,
          `oldest ${span(Math.max(Date.now() / 1000 - one.oldest, 0))}`,
          one.maybeSent && `${number(one.maybeSent)} may have been sent`,
          (lanes.length > 1 || lanes[0]?.[0] !== "normal") && lanes.map(([lane, many]) => `${number(many)} ${lane}`).join(", "),
        ].filter(Boolean).join(" · "));
        facts.title = `The oldest came ${exact(one.oldest)}`;
        ages.write(one.ages);
        ages.node.hidden = alone; // it is the one above
        const wrote = JSON.stringify([one.cure, one.policy, one.detail, one.said, one.alike]);
        if (known !== wrote) {
          known = wrote;
          cure.textContent = one.cure;
          const said = one.detail || one.said;
          more.replaceChildren(...[
            one.policy && h("details", {}, h("summary", {}, "The policy that cures it"), h("pre", { tabIndex: 0 }, one.policy), copier(one.policy, "policy")),
            said && h("details", {}, h("summary", {}, one.detail ? "What SES said" : one.alike ? "The reply" : "The reply to one of them"), h("pre", { tabIndex: 0 }, said)),
          ].filter(Boolean));
        }
        for (const [node, what] of [[retry, "Retry"], [drop, "Drop"]]) {
          node.hidden = !may || (what === "Retry" && one.cause === "later");
          say(node, one.mails === 1 ? what : `${what} all ${number(one.mails)}`);
          node.setAttribute("aria-label", `${node.textContent}: ${name.textContent}`);
        }
      },
    };
  }

  return {
    list,
    write(groups, about) {
      const before = new Map(cards);
      cards.clear();
      for (const one of groups) {
        const key = [one.state, one.account, one.cause].join(" ");
        const card = before.get(key) ?? newCard(key);
        cards.set(key, card);
        card.write(one, { ...about, chosen: about.isChosen(one) });
      }
      arrange(list, [...cards.values()].map(({ item }) => item));
    },
  };
}
