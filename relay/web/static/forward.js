// One mail that a guard keeps goes to an address that one types; or why it cannot.

import { post } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

let made = {}; // what one types in stays, however often the mail is drawn anew
let usual = "";

export function forward(mail, context) {
  if (!mail.calls.some((call) => call.state === "captured")) return null;
  const { transport, mayWrite } = context.status ?? {};
  const why = transport === "capture" ? "This relay captures, so nothing leaves it. One that sends, with a guard whose others = \"capture\", forwards what it keeps."
    : mayWrite ? "" : "Read-only: set web.user and web.passwordHash in the settings to forward mail.";
  if (made.id !== mail.id || made.why !== why) made = { id: mail.id, why, node: h("details", { class: "forward" },
    h("summary", {}, icon("forward"), " Forward"), why ? h("p", { class: "soft" }, why) : form(mail)) };
  return made.node;
}

function form(mail) {
  const to = h("input", { value: usual, inputMode: "email", autocomplete: "email", spellcheck: false, placeholder: "dev@acme.example" });
  const go = h("button", { class: "primary", type: "submit" }, icon("send"), " Send it");
  const said = h("p", { role: "status", class: "note" });
  let busy = false;
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    said.textContent = "Sending …";
    try {
      const { id, reply } = await post(`/api/v1/mails/${encodeURIComponent(mail.id)}/forward`, { to: to.value });
      said.replaceChildren(`${reply} · `, h("a", { href: `/mails/${id}` }, "its story"));
      usual = to.value;
    } catch (trouble) {
      said.textContent = trouble.message;
    }
    busy = false;
  } }, h("label", {}, "Forward to ", to), go, said);
}
