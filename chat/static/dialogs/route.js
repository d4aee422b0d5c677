// The direct route: what it is good for, what it shows to whom, and its steps.
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Dialog, DialogButtons } from "../parts/dialog.js";
import { Notice } from "../parts/notice.js";
import { useAction } from "../parts/use_action.js";

export function DirectRoute({ contact, onClose }) {
  const [run, { busy, problem }] = useAction();
  const { name, route } = contact;
  const shown = contact.nickname || name;
  const step = (which) => async () => {
    if (await run(() => model.ask("direct_route", { name, step: which }))) onClose();
  };
  const isOpen = route === "none" || route === "ended_by_me" || route === "ended_by_peer";
  const isAsked = route === "offer_received";
  return html`<${Dialog} title=${t("route.title", { name: shown })} onClose=${onClose} wide>
    ${isOpen && html`<p>${t("route.now_node")}</p>`} ${isAsked && html`<p>${t("route.has_offered", { name: shown })}</p>`}
    ${route === "offered" && html`<p>${t("route.waiting", { name: shown })}</p>`}
    ${route === "active" && html`<p>${t("route.now_direct", { name: shown })}</p>`}
    ${(isOpen || isAsked) &&
    html`<p>${t("route.gain")}</p>
      <${Notice} kind="warn">${t("route.price", { name: shown })}<//>
      ${contact.trust !== "verified" && html`<${Notice} kind="bad">${t("route.not_verified", { name: shown })}<//>`}`}
    ${route === "active" &&
    html`<label class="choice">
      <input type="checkbox" checked=${contact.direct_only} disabled=${busy} onChange=${(event) => run(() => model.ask("set_direct_only", { name, direct_only: event.target.checked }))} />
      <span><b>${t("route.only")}</b><small>${t(contact.direct_only ? "route.only_now" : "route.else_now")}</small></span>
    </label>`}
    <${Notice} kind="bad">${problem}<//>
    <${DialogButtons}>
      <span class="spread"></span>
      <${Button} onClick=${onClose}>${t(isOpen || isAsked ? "cancel" : "close")}<//>
      ${isOpen && html`<${Button} kind="main" busy=${busy} onClick=${step("offer")}>${t("route.offer")}<//>`}
      ${isAsked &&
      html`<${Button} busy=${busy} onClick=${step("end")}>${t("route.decline")}<//>
        <${Button} kind="main" busy=${busy} onClick=${step("accept")}>${t("route.accept")}<//>`}
      ${route === "offered" && html`<${Button} busy=${busy} onClick=${step("end")}>${t("route.withdraw")}<//>`}
      ${route === "active" && html`<${Button} kind="danger" busy=${busy} onClick=${step("end")}>${t("route.end")}<//>`}
    <//>
  <//>`;
}
