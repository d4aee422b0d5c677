// Initials in a circle whose colour follows from the identity key.
import { html } from "../base/html.js";
import { hueOf, initialsOf } from "../base/hue.js";

export function Avatar({ name, identity, size = "" }) {
  return html`<span class=${`avatar ${hueOf(identity)} ${size ? `is-${size}` : ""}`} aria-hidden="true">
    ${initialsOf(name)}
  </span>`;
}
