// How far a text of the user's own has got: a small picture, whose title says it in words.
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { Icon } from "./icon.js";

const ICONS = {
  storing: "clock",
  waiting: "clock",
  accepted: "check",
  delivered: "checks",
  expired: "failed",
  refused: "failed",
  cancelled: "failed",
};
const WORDS = {
  storing: "state.storing",
  waiting: "state.waiting",
  accepted: "state.accepted",
  delivered: "state.delivered",
  expired: "state.expired",
  refused: "state.refused",
  cancelled: "state.cancelled",
};

export function stateWords(state) {
  return t(WORDS[state]);
}

export function Tick({ state, title }) {
  return html`<span class=${`tick is-${state}`} title=${title ?? stateWords(state)}>
    <${Icon} name=${ICONS[state]} small /><span class="unseen">${stateWords(state)}</span>
  </span>`;
}
