// The user's own link, by which others find them.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { CopyButton, DownloadButton, PrintButton } from "../parts/copy.js";
import { Dialog } from "../parts/dialog.js";
import { Notice } from "../parts/notice.js";
import { QrCode } from "../parts/qr.js";
import { useAction } from "../parts/use_action.js";

export function Me({ home, onClose }) {
  const [mine, setMine] = useState(null);
  const [run, { problem }] = useAction();
  useLayoutEffect(() => {
    run(async () => setMine(await model.ask("get_link")));
  }, []);
  return html`<${Dialog} title=${t("me.title")} onClose=${onClose}>
    <p>${t("me.lead")}</p>
    <${Notice} kind="bad">${problem}<//>
    ${mine &&
    html`<div class="printed me-link">
        <h2 class="only-printed">${t("me.printed", { name: home.name })}</h2>
        <${QrCode} rows=${mine.qr} label=${t("me.qr")} />
        <p class="whole-address" data-link="own"><bdi dir="ltr">${mine.link}</bdi></p>
      </div>
      <div class="row">
        <${CopyButton} text=${mine.link} label=${t("copy")} kind="main" />
        <${PrintButton} />
        <${DownloadButton} text=${`${mine.link}\n`} file=${t("me.file", { name: home.name })} />
      </div>`}
  <//>`;
}
