// Files that were chosen, dropped or pasted, and are not sent yet: what leaves with each stands below its name.
import { html } from "../base/html.js";
import { bytesText } from "../base/sizes.js";
import { t } from "../base/words.js";
import { IconButton } from "../parts/button.js";
import { Icon } from "../parts/icon.js";

const PICTURES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/** What `file` becomes in the tray. */
export function inTray(file) {
  return { file, isPicture: PICTURES.includes(file.type), asItIs: false, key: window.crypto.randomUUID() };
}

export function Tray({ files, limits, onChange, disabled }) {
  const change = (one, part) => onChange((before) => before.map((each) => (each === one ? { ...each, ...part } : each)));
  return html`<ul class="tray" aria-label=${t("tray.label")}>
    ${files.map((one) => {
      const { file, isPicture, asItIs, key } = one;
      const isTooLarge = file.size > limits.file_bytes_max;
      const most = bytesText(limits.file_bytes_max);
      return html`<li key=${key} class="tray-file">
        <${Icon} name="file" />
        <span class="file-words">
          <bdi class="file-name">${file.name}</bdi>
          <span class=${isTooLarge ? "is-bad" : "soft"}>
            ${bytesText(file.size)} · ${t(isTooLarge ? "tray.too_large" : isPicture && !asItIs ? "tray.redrawn" : "tray.as_it_is", { most })}
          </span>
          ${isPicture &&
          !isTooLarge &&
          html`<label class="choice">
            <input type="checkbox" checked=${asItIs} disabled=${disabled} onChange=${(event) => change(one, { asItIs: event.target.checked })} />
            <span>${t("tray.choose_as_it_is")}</span>
          </label>`}
        </span>
        <${IconButton} icon="close" label=${t("tray.remove", { file: file.name })} onClick=${() => onChange((before) => before.filter((each) => each !== one))} />
      </li>`;
    })}
  </ul>`;
}
