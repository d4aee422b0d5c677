// No conversation is open: what to do next.
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { Button } from "../parts/button.js";
import { useDrop } from "./use_drop.js";

export function Empty({ state }) {
  const hasPeople = state.lists.contacts.lines.length > 0 || state.lists.requests.lines.length > 0;
  useDrop(null); // a browser would open a file that is dropped, in place of this page
  if (!state.lists.contacts.isFetched) return html`<div class="empty"></div>`;
  return html`<div class="empty">
    <img class="mark" src="/static/mark.svg" alt="" />
    <h1>${t(hasPeople ? "empty.choose" : "empty.title")}</h1>
    <p>${t(hasPeople ? "empty.choose_lead" : "empty.lead")}</p>
    <div class="row">
      <${Button} kind=${hasPeople ? "" : "main"} icon="add" onClick=${() => show("find")}>${t("find.title")}<//>
      ${!hasPeople && html`<${Button} icon="qr" onClick=${() => show("me")}>${t("me.title")}<//>`}
    </div>
  </div>`;
}
