// A labelled field, with a hint or an error below it that a screen reader reads with it.
import { html, useLayoutEffect, useId, useRef } from "../base/html.js";

/** `onText` hears the text; Enter submits the form around it (in a field of several lines: Ctrl+Enter). */
export function Field({ label, value, onText, hint, error, good, lines, focus, type = "text", after, ...more }) {
  const id = useId();
  const box = useRef(null);
  useLayoutEffect(() => { // not later: what is typed at once must not be lost
    if (focus) box.current.focus();
  }, [focus]);
  const said = error || good || hint;
  const common = {
    id,
    ref: box,
    value,
    class: "field-box",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: false,
    "aria-invalid": error ? "true" : undefined,
    "aria-describedby": said ? `${id}-said` : undefined,
    onInput: (event) => onText(event.target.value),
    ...more,
  };
  const onKeyDown = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    box.current.form?.requestSubmit();
  };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <div class="field-row">
      ${lines ? html`<textarea ...${common} rows=${lines} onKeyDown=${onKeyDown} />` : html`<input ...${common} type=${type} />`}
      ${after}
    </div>
    <p id=${`${id}-said`} class=${`field-said ${error ? "is-bad" : good ? "is-good" : ""}`} role=${error ? "alert" : undefined}>
      ${said}
    </p>
  </div>`;
}
