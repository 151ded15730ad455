// The source of a mail, coloured: its beginning, however large it is, each in one pass.

import { bytes, h } from "./dom.js";

const SHOWN = 100000; // bytes

// `put(kind, text)` is told the pieces in their order: kinds are tag, name, value, note,
// or "" for plain text.
export function html(text, put) {
  const word = /[^\s=>/"']+/y;
  const from = (sign, at, more) => {
    const found = text.indexOf(sign, at);
    return found < 0 ? text.length : found + more;
  };
  let at = 0;
  const until = (end, kind) => { put(kind, text.slice(at, end)); at = end; };
  while (at < text.length) {
    if (text[at] !== "<") until(from("<", at, 0), "");
    else if (text.startsWith("<!--", at)) until(from("-->", at + 4, 3), "note");
    else if (!/[a-z/!?]/i.test(text[at + 1] ?? "")) until(at + 1, "");
    else {
      word.lastIndex = at + (text[at + 1] === "/" ? 2 : 1);
      word.test(text);
      until(Math.max(word.lastIndex, at + 1), "tag");
      let named = false;
      while (at < text.length && text[at] !== ">") {
        const sign = text[at];
        if (sign === "\"" || sign === "'") until(from(sign, at + 1, 1), "value");
        else {
          word.lastIndex = at;
          if (word.test(text)) until(word.lastIndex, named ? "value" : "name");
          else until(at + 1, "");
        }
        named = sign === "=";
      }
      if (at < text.length) until(at + 1, "tag");
    }
  }
}

export function mail(text, put) {
  const boundaries = new Set();
  let header = true;
  let unread = false; // a body that nobody reads as it is
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const bare = line.trimEnd();
    if (!header && boundaries.has(bare.replace(/--$/, "").slice(2)) && bare.startsWith("--")) {
      put("note", line);
      header = !bare.endsWith("--") || boundaries.has(bare.slice(2));
      unread = false;
    } else if (!header) put(unread ? "note" : "", line);
    else if (!bare) {
      put("", line);
      header = false;
    } else {
      const colon = /^[!-9;-~]+:/.exec(line)?.[0] ?? "";
      if (colon) put("name", colon);
      put("", line.slice(colon.length));
      const found = /\bboundary="?([^";\s]+)/i.exec(line);
      if (found) boundaries.add(found[1]);
      if (/^content-transfer-encoding:\s*base64/i.test(line)) unread = true;
    }
  }
}

// Neighbours of one kind are one node.
function painted(text, paint) {
  const all = [];
  let [kind, run] = ["", ""];
  const end = () => { if (run) all.push(kind ? h("span", { class: `in-${kind}` }, run) : run); };
  paint(text, (of, piece) => {
    if (of !== kind) { end(); [kind, run] = [of, ""]; }
    run += piece;
  });
  end();
  return all;
}

async function beginning(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error((await answer.json()).error);
  const total = Number(answer.headers.get("Content-Length"));
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let [text, read, last] = ["", 0, false];
  while (read < SHOWN && !last) {
    const { done, value } = await reader.read();
    last = done;
    if (!done) text += decoder.decode(value.subarray(0, SHOWN - read), { stream: true });
    read += value?.length ?? 0;
  }
  reader.cancel();
  return { text, total, whole: last || total <= SHOWN };
}

export function source(address, paint, ...above) {
  const note = h("span", { class: "soft" });
  const pre = h("pre", { class: "source", tabIndex: 0 });
  beginning(address).then(({ text, total, whole }) => {
    pre.append(...painted(text, paint));
    note.textContent = whole ? "" : `The first ${bytes(SHOWN)} of ${bytes(total)}; the download has all.`;
  }, (trouble) => { note.textContent = trouble.message; });
  return h("div", { class: "panel" }, h("div", { class: "row" }, above, note), pre);
}
