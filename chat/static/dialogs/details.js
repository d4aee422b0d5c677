// All that is known of one text.
import { html } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { full } from "../base/time.js";
import { t } from "../base/words.js";
import { Dialog } from "../parts/dialog.js";
import { stateWords } from "../parts/tick.js";

const MEANINGS = {
  waiting: "meaning.waiting",
  accepted: "meaning.accepted",
  delivered: "meaning.delivered",
  expired: "meaning.expired",
  refused: "meaning.refused",
  cancelled: "meaning.cancelled",
};
const ROUTES = { node: "route.node", direct: "route.direct" };

export function Details({ text, onClose }) {
  const rows = [
    [t("details.written"), full(text.sent_at)],
    [t(text.out ? "details.stored" : "details.arrived"), full(text.arrived_at)],
  ];
  if (text.out && !text.file) rows.push([t("details.state"), `${stateWords(text.state)}. ${t(MEANINGS[text.state])}`]);
  if (text.reason) rows.push([t("details.reason"), problemText(text.reason)]);
  if (text.route) rows.push([t("details.route"), t(ROUTES[text.route])]);
  return html`<${Dialog} title=${t("text.details")} onClose=${onClose}>
    <dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
  <//>`;
}
