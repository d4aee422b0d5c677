// One conversation: who it is, what must be known before writing, the texts, and where one writes.
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { Bar } from "./bar.js";
import { Composer } from "./composer.js";
import { Notes } from "./notes.js";
import { Panel } from "./panel.js";
import { Texts } from "./texts.js";

/** Why nothing can be written to this person now; empty if something can. */
function whyNot(contact, home) {
  if (home.deleted) return t("composer.deleted");
  if (contact.state === "blocked") return t("composer.blocked");
  if (contact.state === "declined") return t("composer.declined");
  if (contact.state === "pending") return t("composer.pending");
  if (contact.trust === "changed") return t("composer.changed");
  return "";
}

export function Talk({ state, home, turn }) {
  const { open, panel } = state;
  const { contact } = open;
  if (!contact) return html`<div class="talk-main"></div>`;
  return html`<div class="talk-main">
      <${Bar} contact=${contact} panel=${panel} />
      <${Notes} contact=${contact} hasTexts=${open.texts?.length > 0} />
      <${Texts} open=${open} turn=${turn} />
      <${Composer} open=${open} why=${whyNot(contact, home)} limits=${state.limits} />
    </div>
    ${panel && html`<${Panel} contact=${contact} />`}`;
}
