// A short message over the page, with a way back for as long as it is shown.
import { html } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { IconButton } from "./button.js";

export function Toast({ toast }) {
  const hide = () => model.set({ toast: null });
  const undo = async () => {
    hide();
    try {
      await toast.undo();
    } catch (problem) {
      model.say(problemText(problem));
    }
  };
  return html`<div class="toast-place" role="status">
    ${toast &&
    html`<div class="toast">
      <span>${toast.text}</span>
      ${toast.undo && html`<button type="button" onClick=${undo}>${t("undo")}</button>`}
      <${IconButton} icon="close" label=${t("close")} onClick=${hide} />
    </div>`}
  </div>`;
}
