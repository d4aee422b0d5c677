// What must be decided or known before writing to this person.
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Notice } from "../parts/notice.js";
import { useAction } from "../parts/use_action.js";

const DONE = { accept: "done.accepted", decline: "done.declined", block: "done.blocked" };

/** Decides about a person; accepting undoes the two others. */
export function decide(contact, decision) {
  const opposite = decision === "accept" ? null : { fields: { name: contact.name, decision: "accept" } };
  const words = t(DONE[decision], { name: contact.nickname || contact.name });
  return model.change(words, "decide", { name: contact.name, decision }, opposite);
}

export function Notes({ contact, hasTexts }) {
  const [run, { busy, problem }] = useAction();
  const name = contact.nickname || contact.name;
  const because = (decision) => () => run(() => decide(contact, decision));
  const accept = (identity_key) => run(() => model.ask("unverify", { name: contact.name, identity_key }));
  return html`<div class="notes">
    ${contact.state === "pending" &&
    html`<section class="note" aria-label=${t("request.label")}>
      <p><b>${t("request.wants", { name })}</b></p>
      <p>${t("request.secret")}</p>
      ${!hasTexts && contact.route !== "offer_received" && html`<p>${t("request.no_texts")}</p>`}
      <div class="row">
        <${Button} kind="main" busy=${busy} onClick=${because("accept")}>${t("request.accept")}<//>
        <${Button} busy=${busy} onClick=${because("decline")}>${t("request.decline")}<//>
        <${Button} kind="danger" busy=${busy} onClick=${because("block")}>${t("request.block")}<//>
      </div>
    </section>`}
    ${(contact.state === "declined" || contact.state === "blocked") &&
    html`<section class="note">
      <p>${t(contact.state === "blocked" ? "refused.blocked" : "refused.declined", { name })}</p>
      <div class="row"><${Button} busy=${busy} onClick=${because("accept")}>${t("refused.accept")}<//></div>
    </section>`}
    ${contact.trust === "changed" &&
    html`<section class="note is-bad" role="alert">
      <p><b>${t("changed.title", { name })}</b></p>
      <p>${t("changed.lead")}</p>
      <div class="row">
        <${Button} kind="main" onClick=${() => show("safety")}>${t("changed.compare")}<//>
        <${Button} busy=${busy} onClick=${() => accept(contact.key)}>${t("changed.continue")}<//>
      </div>
    </section>`}
    ${contact.route === "offer_received" &&
    contact.state === "accepted" &&
    html`<section class="note is-row">
      <p>${t("route.offers", { name })}</p>
      <${Button} onClick=${() => show("route")}>${t("route.see")}<//>
    </section>`}
    ${contact.route === "active" &&
    contact.direct_silent &&
    html`<p class="note is-warn">${t(contact.direct_only ? "route.silent_waits" : "route.silent_node")}</p>`}
    <${Notice} kind="bad">${problem}<//>
  </div>`;
}
