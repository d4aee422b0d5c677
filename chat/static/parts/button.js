// Buttons: with words, or with an icon whose words are its label and its tooltip.
import { html, useLayoutEffect, useRef } from "../base/html.js";
import { Icon } from "./icon.js";

/** `kind`: "main" for the one expected step, "danger", "plain" for a button that looks like text. `focus`: it has
    the focus when it appears. */
export function Button({ kind = "", icon, busy = false, disabled = false, submit = false, focus = false, children, ...more }) {
  const box = useRef(null);
  useLayoutEffect(() => focus && void box.current.focus(), []); // a browser obeys `autofocus` once a page at most
  return html`<button
    ref=${box}
    type=${submit ? "submit" : "button"}
    class=${`button ${kind ? `is-${kind}` : ""}`}
    disabled=${disabled || busy}
    aria-busy=${busy ? "true" : undefined}
    ...${more}
  >
    ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
  </button>`;
}

export function IconButton({ icon, label, class: more = "", ...others }) {
  return html`<button type="button" class=${`icon-button ${more}`} aria-label=${label} title=${label} ...${others}>
    <${Icon} name=${icon} />
  </button>`;
}
