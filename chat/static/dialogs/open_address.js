// The whole address of a link in a text, before it is opened: what is shown is where it leads.
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { Button } from "../parts/button.js";
import { CopyButton } from "../parts/copy.js";
import { Dialog, DialogButtons } from "../parts/dialog.js";

export function OpenAddress({ address, onClose }) {
  const { host, href } = new URL(address);
  const open = () => {
    window.open(href, "_blank", "noopener,noreferrer");
    onClose();
  };
  return html`<${Dialog} title=${t("address.title")} onClose=${onClose}>
    <p>${t("address.host")} <b class="host"><bdi>${host}</bdi></b></p>
    <p class="whole-address"><bdi dir="ltr">${href}</bdi></p>
    <p class="soft">${t("address.lead")}</p>
    <${DialogButtons}>
      <${CopyButton} text=${href} label=${t("copy")} />
      <span class="spread"></span>
      <${Button} onClick=${onClose}>${t("cancel")}<//>
      <${Button} kind="main" onClick=${open}>${t("address.open")}<//>
    <//>
  <//>`;
}
