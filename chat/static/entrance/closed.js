// What a window shows that has nothing to show: no key, no program, or a client that has stopped.
import { canKeep } from "../base/kept.js";
import { html } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { t } from "../base/words.js";
import { Notice } from "../parts/notice.js";
import { Frame } from "./frame.js";

const WHY = {
  connecting: ["closed.connecting_title", ""],
  lost: ["closed.connecting_title", ""],
  open: ["closed.connecting_title", ""],
  gone: ["closed.gone_title", "closed.gone"],
  ended: ["closed.ended_title", "closed.ended"],
  full: ["closed.full_title", "closed.full"],
  refused: ["closed.refused_title", "closed.refused"],
};

export function Closed({ link }) {
  const [title, lead] = WHY[link];
  return html`<${Frame} title=${t(title)} lead=${lead && t(lead)}>
    ${link === "refused" &&
    html`<p>${t("closed.refused_other")}</p>
      <p class="soft">${t("closed.refused_stranger")}</p>
      ${!canKeep() && html`<${Notice} kind="warn">${t("closed.no_storage")}<//>`}`}
  <//>`;
}

export function Stopped({ home }) {
  return html`<${Frame} title=${t("stopped.title")} lead=${t("stopped.lead")} home=${home}>
    <${Notice} kind="bad">${home.problem && problemText(home.problem)}<//>
  <//>`;
}
