// One picture as large as the window allows.
import { html, useRef } from "../base/html.js";
import { t } from "../base/words.js";
import { saveFile } from "../model/files.js";
import { Button } from "../parts/button.js";
import { Dialog, DialogButtons } from "../parts/dialog.js";
import { Notice } from "../parts/notice.js";
import { usePicture } from "../talk/file.js";

export function Picture({ contact, text, onClose }) {
  const box = useRef(null);
  const { address, problem } = usePicture(contact.name, text, box, true);
  return html`<${Dialog} title=${text.text} onClose=${onClose} wide>
    <div ref=${box} class="picture-place">${address && html`<img src=${address} alt=${text.text} />`}</div>
    <${Notice} kind="bad">${problem}<//>
    <p class="soft">${t("file.shown")}</p>
    <${DialogButtons}>
      <span class="spread"></span>
      <${Button} icon="download" kind="main" onClick=${() => saveFile(contact.name, text)}>${t("file.save_short")}<//>
    <//>
  <//>`;
}
