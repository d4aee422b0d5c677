// Lines above everything: what a dishonest node did, and what keeps this window from working as it should.
import { html, useState } from "../base/html.js";
import { canKeep } from "../base/kept.js";
import { problemText } from "../base/problems.js";
import { full } from "../base/time.js";
import { hasWords, t } from "../base/words.js";
import { IconButton } from "../parts/button.js";
import { Icon } from "../parts/icon.js";

export function Warnings({ state, home }) {
  const { caught, doubted_since, unwitnessed_since, stalled_since, node_moved } = state.warnings;
  const [hidden, setHidden] = useState([]);
  const lines = [];
  for (const code of caught) {
    const what = t(hasWords(`caught.${code}`) ? `caught.${code}` : "caught.unknown");
    lines.push({ kind: "bad", text: code === "name_changed" ? t("warning.name_changed") : t("warning.caught", { what }) });
  }
  if (doubted_since !== null) lines.push({ kind: "bad", text: t("warning.doubted", { since: full(doubted_since) }) });
  if (unwitnessed_since !== null) lines.push({ kind: "bad", text: t("warning.unwitnessed", { since: full(unwitnessed_since) }) });
  if (stalled_since !== null) lines.push({ kind: "bad", text: t("warning.stalled", { since: full(stalled_since) }) });
  if (home.deleted) lines.push({ kind: "warn", text: t("warning.deleted") });
  if (state.link === "lost") lines.push({ kind: "warn", text: t("warning.lost") });
  if (state.link === "open" && state.connection.state === "offline" && state.connection.problem) {
    lines.push({ kind: "warn", text: t("warning.offline", { why: problemText(state.connection.problem) }), key: "offline" });
  }
  if (node_moved) lines.push({ kind: "warn", text: t("warning.node_moved"), key: "moved" });
  if (!canKeep()) lines.push({ kind: "warn", text: t("warning.no_storage"), key: "storage" });
  return html`<div class="warnings">
    ${lines
      .filter((line) => !hidden.includes(line.key))
      .map(
        (line) => html`<div key=${line.text} class=${`warning is-${line.kind}`} role=${line.kind === "bad" ? "alert" : "status"}>
          <${Icon} name=${line.kind === "bad" ? "shield_alert" : "info"} /><span>${line.text}</span>
          ${line.key && html`<${IconButton} icon="close" label=${t("hide")} onClick=${() => setHidden([...hidden, line.key])} />`}
        </div>`,
      )}
  </div>`;
}
