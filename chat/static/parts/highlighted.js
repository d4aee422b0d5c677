// A text in which the places are marked that a search looks for.
import { html } from "../base/html.js";
import { splitFound } from "../base/split.js";

export function Highlighted({ text, words }) {
  if (!words) return text;
  return splitFound(text, words).map((piece) => (piece.found ? html`<mark>${piece.text}</mark>` : piece.text));
}
