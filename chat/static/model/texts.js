// A conversation's texts in their order, and how they are grouped for the eye.
import { dayOf } from "../base/time.js";

const GROUP_S = 60;
const SHOWN_MAX = 400; // more makes a browser slow; the other end is fetched again when it is needed

function compared(a, b) {
  for (const at of a.order.keys()) if (a.order[at] !== b.order[at]) return a.order[at] - b.order[at];
  return 0;
}

/** These texts and those of a page; a text that stands in both is the page's. */
export function merged(texts, page) {
  const rows = new Map(texts.map((text) => [text.row, text]));
  for (const text of page) rows.set(text.row, text);
  return [...rows.values()].sort(compared);
}

/** The open conversation with one text that was pushed. */
export function withText(open, text) {
  const { texts, newer } = open;
  const at = texts.findIndex((each) => each.row === text.row);
  if (at >= 0) return { ...open, texts: texts.with(at, text) };
  const last = texts.at(-1);
  if (!last || compared(text, last) > 0) return newer ? open : { ...open, texts: [...texts, text] };
  if (compared(text, texts[0]) < 0 && open.older) return open;
  return { ...open, texts: merged(texts, [text]) };
}

/** The open conversation with a page before or after; what is too far away at the other end is let go. */
export function withMore(open, page, isOlder) {
  let texts = merged(open.texts, page.texts);
  let { older, newer } = open;
  if (isOlder) older = page.older;
  else newer = page.newer;
  if (texts.length > SHOWN_MAX) {
    if (isOlder) newer = true;
    else older = true;
    texts = isOlder ? texts.slice(0, SHOWN_MAX) : texts.slice(-SHOWN_MAX);
  }
  return { ...open, texts, older, newer };
}

/** `[{text, newDay, first, last}]`: the first and the last of texts that one person wrote within a minute. */
export function grouped(texts) {
  const joins = (a, b) =>
    a && b && a.out === b.out && !b.missing && dayOf(a.arrived_at) === dayOf(b.arrived_at) &&
    Math.abs(b.arrived_at - a.arrived_at) < GROUP_S;
  return texts.map((text, at) => ({
    text,
    newDay: at === 0 || dayOf(texts[at - 1].arrived_at) !== dayOf(text.arrived_at),
    first: !joins(texts[at - 1], text),
    last: !joins(text, texts[at + 1]),
  }));
}
