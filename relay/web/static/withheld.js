// What is not kept where mail is sent, shown as a gap with a name, and not as a fault.

import { h } from "./dom.js";

const HOLE = /\{\{-?\s*([\w.]*)[^}]*\}\}|\{%[^%]*%\}/g;

// A template's subject: "Your code is {{code}}" has a gap named code.
export function subject(text) {
  const all = [];
  let at = 0;
  for (const found of text.matchAll(HOLE)) {
    all.push(text.slice(at, found.index), gap(found[1] || "…"));
    at = found.index + found[0].length;
  }
  return [...all, text.slice(at)];
}

// The same as plain words, for titles and rows.
export const plain = (text) => text.replace(HOLE, (_, name) => `‹${name || "…"}›`);

export const gap = (name) => h("span", { class: "gap", title: `The value of ${name} is not kept where mail is sent` }, name);
