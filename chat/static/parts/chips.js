// Small labels that stay on the screen.
import { html } from "../base/html.js";
import { t } from "../base/words.js";

/** The emulator is named at all times, as what it is. */
export function EmulatorChip() {
  return html`<span class="chip is-warn" title=${t("emulator.title")}>
    <span aria-hidden="true">${t("emulator.chip")}</span><span class="unseen">${t("emulator.title")}</span>
  </span>`;
}

const STATES = { connected: "conn.connected", connecting: "conn.connecting", offline: "conn.offline" };

/** How the route to the node is. What this window does not know because the program has gone is never "connected". */
export function ConnectionChip({ link, connection, why }) {
  const state = link === "open" ? connection.state : "connecting";
  const words = link === "open" ? t(STATES[state]) : t("conn.no_program");
  return html`<span class=${`connection is-${link === "open" ? state : "offline"}`} role="status" title=${why || words}>
    <span class="dot" aria-hidden="true"></span>${words}
  </span>`;
}
