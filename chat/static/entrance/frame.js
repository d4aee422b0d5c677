// The frame of every screen before the first conversation: the mark, one column, and what is always said.
import { html, useLayoutEffect, useRef } from "../base/html.js";
import { t } from "../base/words.js";
import { EmulatorChip } from "../parts/chips.js";

const STEPS = ["step.name", "step.passphrase", "step.words"];

/** `step`: which of the steps of a first run this is. `onSubmit`: Enter in any field does the main thing. */
export function Frame({ title, lead, step, home, onSubmit, children }) {
  const heading = useRef(null);
  useLayoutEffect(() => {
    // A screen reader reads the new title, unless a field or a button has taken the focus.
    if (!document.activeElement || document.activeElement === document.body) heading.current.focus();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    onSubmit?.();
  };
  return html`<main class="entrance">
    <form class="entrance-card" onSubmit=${submit} novalidate>
      <div class="entrance-head">
        <img class="mark" src="/static/mark.svg" alt="" />
        <strong>${t("app")}</strong>
        ${home?.emulated && html`<${EmulatorChip} />`}
      </div>
      ${step !== undefined &&
      html`<ol class="steps" aria-label=${t("steps")}>
        ${STEPS.map((key, at) => html`<li class=${at < step ? "is-over" : ""} aria-current=${at === step ? "step" : undefined}>${t(key)}</li>`)}
      </ol>`}
      <h1 ref=${heading} tabindex="-1">${title}</h1>
      ${lead && html`<p class="lead">${lead}</p>`} ${children}
    </form>
  </main>`;
}
