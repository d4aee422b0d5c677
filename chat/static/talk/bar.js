// The header of a conversation: the name, one mark for trust and one for the route; all else is in the panel.
import { durationText } from "../base/durations.js";
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { model } from "../model/use.js";
import { Avatar } from "../parts/avatar.js";
import { IconButton } from "../parts/button.js";
import { Icon } from "../parts/icon.js";

const TRUST = { verified: "trust.verified", confirmed: "trust.confirmed", changed: "trust.changed" };
const SHIELDS = { verified: "shield_check", confirmed: "shield", changed: "shield_alert" };

export function Bar({ contact, panel }) {
  const shown = contact.nickname || contact.name;
  const isDirect = contact.route === "active";
  const toggle = () => model.set({ panel: !panel });
  return html`<header class="bar">
    <${IconButton} icon="back" label=${t("talk.back")} class="only-narrow" onClick=${() => model.closeConversation()} />
    <button type="button" class="bar-who" onClick=${toggle} aria-expanded=${panel ? "true" : "false"}>
      <${Avatar} name=${shown} identity=${contact.key} />
      <span class="bar-names">
        <h1 class="bar-name"><bdi>${shown}</bdi></h1>
        <span class="bar-line has-parts">
          ${contact.nickname && html`<bdi>${contact.name}</bdi>`}
          <span>${t(isDirect ? "route.direct" : "route.node")}</span>
          ${contact.disappears_after !== null &&
          html`<span class="vanishing" title=${t("disappearing.title")}><${Icon} name="flame" small />${durationText(contact.disappears_after)}</span>`}
        </span>
      </span>
    </button>
    <span class="spread"></span>
    <button
      type="button"
      class=${`trust-button is-${contact.trust}`}
      aria-label=${t(TRUST[contact.trust])}
      title=${t("safety.open", { state: t(TRUST[contact.trust]) })}
      onClick=${() => show("safety")}
    >
      <${Icon} name=${SHIELDS[contact.trust]} /><span>${t(TRUST[contact.trust])}</span>
    </button>
    <${IconButton} icon="info" label=${t("panel.open", { name: shown })} aria-pressed=${panel ? "true" : "false"} onClick=${toggle} />
  </header>`;
}
