// Fingers on a plot: one marks a part by going along it, two zoom as on a map. What goes
// up or down is the browser's, which scrolls the page (`touch-action: pan-y`).

const FAR = 8; // pixels from which on a touch is no tap

// Places are pixels from the left of `over`. `dragged(from, to)` hears of one finger while
// it goes and `marked(from, to)` where it left; `spread([[from, to], [from, to]], ended)`
// of two; `stopped()` that nothing becomes of what was begun.
export function fingers(over, { dragged, marked, spread, stopped }) {
  const down = new Map(); // by pointer: where it came down, and where it is
  const place = (event) => event.clientX - over.getBoundingClientRect().left;

  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" || down.size === 2) return;
    if (down.size) stopped(); // what one marked is none with two
    down.set(event.pointerId, [place(event), place(event)]);
    for (const one of down.values()) one[0] = one[1];
  });
  over.addEventListener("pointermove", (event) => {
    const one = down.get(event.pointerId);
    if (!one) return;
    one[1] = place(event);
    if (down.size === 2) spread([...down.values()], false);
    else if (Math.abs(one[1] - one[0]) >= FAR) dragged(...one);
  });
  over.addEventListener("pointerup", (event) => {
    const one = down.get(event.pointerId);
    if (!one) return;
    const all = [...down.values()];
    down.clear();
    if (all.length === 2) spread(all, true);
    else if (Math.abs(one[1] - one[0]) >= FAR) marked(...one);
    else stopped();
  });
  over.addEventListener("pointercancel", (event) => {
    if (!down.has(event.pointerId)) return;
    down.clear();
    stopped();
  });
}
