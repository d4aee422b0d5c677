// The header above the people: who the user is, whether the node is reached, and what there is to begin.
import { html } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { t } from "../base/words.js";
import { IconButton } from "../parts/button.js";
import { ConnectionChip, EmulatorChip } from "../parts/chips.js";
import { show } from "./show.js";

export function Top({ home, state }) {
  const { connection, link } = state;
  const why = link === "open" && connection.problem ? problemText(connection.problem) : "";
  return html`<header class="bar">
    <button type="button" class="me" title=${t("me.title")} aria-label=${t("me.label", { name: home.name })} onClick=${() => show("me")}>
      <img class="mark" src="/static/mark.svg" alt="" />
    </button>
    <div class="bar-names">
      <bdi class="bar-name">${home.name}</bdi>
      <span class="bar-line">
        <${ConnectionChip} link=${link} connection=${connection} why=${why} />
        ${home.emulated && html`<${EmulatorChip} />`}
      </span>
    </div>
    <${IconButton} icon="settings" label=${t("settings.title")} onClick=${() => show("settings")} />
    <${IconButton} icon="add" label=${t("find.title")} class="is-accent" onClick=${() => show("find")} />
  </header>`;
}
