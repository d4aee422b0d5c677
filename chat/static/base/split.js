// Splits a text into plain pieces, addresses of web pages, and lines that quote another text.
const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\p{Cc}\p{Cf}]+/giu;
const TRAILING = /[.,;:!?)\]}»”’]+$/u;

/** `[{text, address}]`: `address` is set for a piece that is the address of a web page. */
export function splitAddresses(text) {
  const pieces = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(TRAILING, "");
    if (!URL.canParse(address)) continue;
    if (match.index > at) pieces.push({ text: text.slice(at, match.index), address: "" });
    pieces.push({ text: address, address });
    at = match.index + address.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), address: "" });
  return pieces;
}

/** The lines at the beginning that quote (`> …`), and what stands below them. */
export function splitQuote(text) {
  const lines = text.split("\n");
  let count = 0;
  while (count < lines.length && /^>( |$)/.test(lines[count])) count += 1;
  if (count === 0 || count === lines.length) return { quote: "", rest: text };
  const quote = lines.slice(0, count).map((line) => line.slice(2));
  return { quote: quote.join("\n"), rest: lines.slice(count).join("\n").replace(/^\n/, "") };
}

const QUOTED_LINES = 3;
const QUOTED_LETTERS = 120;

/** A text as a quote above an answer: its first lines, without what it quoted itself. */
export function quoteOf(text) {
  const lines = splitQuote(text).rest.split("\n").filter((line) => line.trim());
  const shown = lines.slice(0, QUOTED_LINES).map((line) => {
    const letters = [...line];
    return letters.length > QUOTED_LETTERS ? `${letters.slice(0, QUOTED_LETTERS).join("")}…` : line;
  });
  if (lines.length > QUOTED_LINES) shown.push("…");
  return shown.map((line) => `> ${line}`).join("\n");
}

/** The pieces of a text, in which `found` marks the places where a word of the search stands. */
export function splitFound(text, words) {
  const wanted = words.trim().toLowerCase();
  if (!wanted) return [{ text, found: false }];
  const pieces = [];
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return [{ text, found: false }]; // places differ between the two
  let at = 0;
  for (let place = lower.indexOf(wanted); place >= 0; place = lower.indexOf(wanted, at)) {
    if (place > at) pieces.push({ text: text.slice(at, place), found: false });
    at = place + wanted.length;
    pieces.push({ text: text.slice(place, at), found: true });
  }
  if (at < text.length) pieces.push({ text: text.slice(at), found: false });
  return pieces;
}
