// A sentence that stands out: an error, a warning, or that something went well. Where it appears, it is read aloud.
import { html } from "../base/html.js";
import { Icon } from "./icon.js";

const ICONS = { bad: "failed", warn: "info", good: "check", note: "info" };

/** `kind`: "bad", "warn", "good" or "note". Nothing is drawn without content, but its place is there. */
export function Notice({ kind = "note", children }) {
  return html`<div class="notice-place" role=${kind === "bad" ? "alert" : "status"}>
    ${children && html`<div class=${`notice is-${kind}`}><${Icon} name=${ICONS[kind]} /><div>${children}</div></div>`}
  </div>`;
}
