// The story of one mail: what happened to it, step by step.

import { copy } from "./chips.js";
import { bytes, h, ms, span, time } from "./dom.js";

// SES' own words, where the reply has not got them; the cure stands above the story.
function own({ detail, reply }) {
  const [, code, text] = detail.match(/^(\d{3} \w+): (.*)$/s) ?? [];
  return text && reply.includes(text) ? code : detail.replace(/ \(missing permission .*$/s, "");
}

// What SES told since it took the mail: its word, and how it is.
const TOLD = {
  send: ["SES has it", "good"],
  delivery: ["Delivered", "good"],
  bounce: ["Bounced", "bad"],
  complaint: ["Complained of", "bad"],
  delay: ["Delayed", "wait"],
  reject: ["Rejected by SES", "bad"],
  open: ["Opened", "good"],
  click: ["Clicked", "good"],
  rendering_failure: ["Not rendered by SES", "bad"],
  subscription: ["Subscription changed", "good"],
};

function told({ kind, at, recipient, type, status, reason, link, detail }) {
  const [word, how] = TOLD[kind] ?? [kind, "wait"];
  const more = [recipient, type, status, reason, link].filter(Boolean).join(" · ");
  return step(how, h("strong", {}, `${word} `), time(at), more && h("span", { class: "soft" }, ` · ${more}`), detail && h("div", { class: "soft" }, detail));
}

const step = (how, ...of) => h("li", { class: how }, ...of);

export function steps(mail, captures) {
  const all = [
    step("good", h("strong", {}, "Received "), time(mail.at), h("span", { class: "soft" }, " · ",
      [mail.peer && `from ${mail.peer}`, mail.user && `user ${mail.user}`, mail.listener && `listener ${mail.listener}`, !["default", ":guard"].includes(mail.account) && `account ${mail.account}`, mail.size ? bytes(mail.size) : "no content"].filter(Boolean).join(", "))),
  ];
  if (mail.rule) all.push(step("good", h("strong", {}, `Rule ${mail.rule}`)));
  if (mail.usage || mail.template) all.push(step(mail.template ? "good" : "wait", h("strong", {}, `Usage ${mail.usage}`),
    mail.state === "refused" && !mail.template ? null : h("span", { class: "soft" }, " · ", mail.template ? `template ${mail.template}${mail.locale ? `, locale ${mail.locale}` : ""}` : "no template",
      mail.variables.length ? `; variables: ${mail.variables.join(", ")}` : "")));
  for (const warning of mail.warnings) all.push(step("wait", warning));
  if (mail.attemptsLeftOut) all.push(step("wait", `${mail.attemptsLeftOut} more attempts`));
  const held = captures() || mail.calls.every((call) => call.state === "captured");
  // Who hears "queued" may hear it before an attempt ends, all others after the last; a cure stands once.
  const answeredAt = / queued as /.test(mail.reply ?? "") ? mail.at + (mail.ms ?? 0) / 1000 : Infinity;
  const heard = mail.reply && step(mail.state === "refused" ? "bad" : "good", h("strong", {}, "The client heard "), h("code", {}, mail.reply), mail.ms ? h("span", { class: "soft" }, ` after ${ms(mail.ms)}`) : null);
  let said = "";
  mail.attempts.forEach((one) => {
    if (heard && !all.includes(heard) && one.at > answeredAt) all.push(heard);
    all.push(h("li", { class: one.answer === "accepted" ? "good" : "bad" },
      h("strong", {}, one.answer === "accepted" ? (held ? "Captured " : "SES took it ") : `${captures() ? "Played" : "SES"}: ${one.answer.replaceAll("_", " ")} `), time(one.at),
      h("span", { class: "soft" }, ` · attempt ${one.attempt}${mail.calls.length > 1 ? ` of call ${one.call}` : ""}, ${ms(one.ms)}`
        + (one.account !== mail.account ? `, by ${one.account} instead of ${mail.account}` : "")),
      one.reply && h("div", {}, one.reply), one.detail && one.detail !== said && h("div", { class: "soft" }, own(one)),
      one.maybeSent && h("div", {}, "It may have been sent: its end was not seen.")));
    said = one.detail || said;
  });
  if (heard && !all.includes(heard)) all.push(heard);
  if (mail.forwardOf) all.splice(1, 0, step("good", h("strong", {}, "Forwarded"), " here, as it stands in ", h("a", { href: `/mails/${mail.forwardOf}` }, mail.forwardOf)));
  for (const other of mail.forwards) all.push(step("good", h("strong", {}, "Forwarded"), " as ", h("a", { href: `/mails/${other}` }, other)));
  for (const call of mail.calls) {
    if (call.state === "queued") all.push(step("wait", h("strong", {}, "Waits"), call.due ? `, next try ${call.due * 1000 > Date.now() ? `in ${span(call.due - Date.now() / 1000)}` : "now"}` : "", call.reply && h("div", { class: "soft" }, call.reply)));
    if (call.state === "failed") all.push(step("bad", h("strong", {}, "Given up "), call.reply, mail.reports.length ? h("div", { class: "soft" }, `reported to ${mail.reports.join(", ")}`) : ""));
    if (call.state === "superseded") all.push(step("wait", h("strong", {}, "Superseded"), mail.overtakenBy ? h("span", {}, " by ", h("a", { href: `/mails/${mail.overtakenBy}` }, mail.overtakenBy)) : " by a newer mail"));
    // Its answer was lost, and what SES told of it proves it.
    if (call.state === "sent" && !mail.attemptsLeftOut && !mail.attempts.some((one) => one.call === call.call && one.answer === "accepted"))
      all.push(step("good", h("strong", {}, "SES took it"), h("span", { class: "soft" }, ", as it told later")));
    if (call.messageId) all.push(step("good", "Message id ", copy(call.messageId, "message id", h("code", {}, call.messageId))));
  }
  return [...all, ...mail.feedback.map(told)];
}
