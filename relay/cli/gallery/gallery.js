// The keys j and k, and which mail the contents show as the one in sight.
const mails = [...document.querySelectorAll("section")];
const links = new Map([...document.querySelectorAll("nav li a")].map((link) => [link.hash.slice(1), link]));

const inSight = () => {
  const middle = innerHeight / 3;
  let found = 0;
  mails.forEach((mail, index) => { if (mail.getBoundingClientRect().top <= middle) found = index; });
  return found;
};

const mark = () => {
  const current = mails[inSight()]?.id;
  for (const [id, link] of links) {
    if (id === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { j: 1, k: -1 }[event.key];
  if (!step) return;
  const next = mails[Math.min(Math.max(inSight() + step, 0), mails.length - 1)];
  if (!next) return;
  event.preventDefault();
  location.hash = next.id;
  next.focus({ preventScroll: true });
});
addEventListener("scroll", mark, { passive: true });
addEventListener("hashchange", mark);
mark();
