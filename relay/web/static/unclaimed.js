// How much mail of the last hour had no usage and no rule, by kind; above the list.

import { get } from "./api.js";
import { h, says } from "./dom.js";

export function unclaimed(captures) {
  const summary = h("summary", {});
  const kinds = h("ul", { role: "list" });
  const node = h("details", { class: "notice unclaimed", hidden: true }, summary, kinds);

  async function load() {
    const found = await get("/api/v1/unclaimed").catch(() => null);
    if (!found) return;
    node.hidden = found.mails === 0;
    summary.replaceChildren(says("wand-sparkles", `${found.mails} ${found.mails === 1 ? "mail" : "mails"} of the last hour had no usage and no rule`));
    const rest = found.mails - found.kinds.reduce((sum, one) => sum + one.mails, 0);
    kinds.replaceChildren(...found.kinds.map((one) => h("li", { class: "row" },
      h("strong", {}, `${one.mails} ×`), h("span", { class: "who kind", dir: "auto" }, one.kind || "(no subject)"),
      captures() ? h("a", { href: `/mails/${one.last}/rule` }, "Make a rule") : h("a", { href: `/mails/${one.last}` }, "The newest"))),
    rest ? h("li", {}, h("strong", {}, `${rest} ×`), " others") : "");
  }

  return { node, load };
}
