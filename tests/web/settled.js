// Makes a page look the same wherever and whenever it is drawn: its words in one font,
// and what differs from run to run written as it was once. `FONT` is put in as base64.

const FONT = "{font}"; // base64
const HIDDEN = "{hidden}"; // what has fonts, or a time, of its own

const SETTLED = [
  [/\b(?=[a-z]*\d)[a-z0-9]{14}\b/g, "t49pqz27m4k8xd"], // a mail's id
  [/\b\d+(\.\d+)? ms\b/g, "1.4 ms"],
  [/^now$|\b\d+ (s|min|h) ago\b/g, "2 min ago"],
  [/\boldest \d+ (s|min|h)\b/g, "oldest 10 s"],
  [/\bin \d+ (s|min|h)\b/g, "in 4 min"],
  [/\b\d{1,2}:\d{2}(:\d{2})?\b/g, "10:04:12"],
  [/\b\d{1,2} \p{L}{3,4} \d{4}\b/gu, "24 Nov 2026"],
  [/\b\d+ attempts?\b/g, "3 attempts"],
  [/127\.0\.0\.1:\d+/g, "127.0.0.1:1025"],
  [/^[0-9a-f]{8}$/g, "dae5fae2"], // the settings in force
];

function settle(node) {
  if ((node.parentNode ?? node).nodeName === "SCRIPT") return; // what the page reads, not people
  if (node.nodeType === Node.TEXT_NODE) {
    const text = SETTLED.reduce((made, [what, by]) => made.replace(what, by), node.data);
    if (text !== node.data) node.data = text;
  } else for (const one of node.childNodes) settle(one);
}

if (window === window.top) {
  const bytes = Uint8Array.from(atob(FONT), (one) => one.charCodeAt(0));
  const font = new FontFace("Settled", bytes, { weight: "100 900" });
  document.fonts.add(font);
  font.load();
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :root { --words: Settled, sans-serif; --mono: Settled, monospace; }
    * { caret-color: transparent !important; animation: none !important; transition: none !important; scrollbar-width: none !important; }
    :is(${HIDDEN}) { background: #fff !important; filter: brightness(0) opacity(.15); }
  `);
  document.adoptedStyleSheets = [sheet];
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "characterData") settle(target);
      else addedNodes.forEach(settle);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
}
