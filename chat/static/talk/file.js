// A file in a conversation: what it is, how far it has come, and, of a picture that is whole, its pixels.
import { html, useLayoutEffect, useRef, useState } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { bytesText } from "../base/sizes.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { cancelFile, fetchFile, saveFile } from "../model/files.js";
import { Button, IconButton } from "../parts/button.js";
import { Icon } from "../parts/icon.js";

const STATES = {
  cancelled: "file.cancelled",
  ended: "file.ended",
  damaged: "file.damaged",
  failed: "file.failed",
};

/** Whether its bytes are available: the user's own always, another person's when it is whole. */
export function isAvailable(text) {
  return text.out || text.file.state === "complete";
}

export function isUnderWay(file) {
  return file.state === "offered" || file.state === "under_way";
}

/** The address of a picture's pixels in this window; "" until they are here. It is fetched when it comes into view. */
export function usePicture(name, text, box, isWanted) {
  const [picture, setPicture] = useState({ address: "", problem: "" });
  useLayoutEffect(() => {
    if (!isWanted) return undefined;
    let address = "";
    let isOver = false;
    const look = async () => {
      try {
        const pixels = await fetchFile(name, text, true);
        if (isOver) return;
        address = URL.createObjectURL(pixels);
        setPicture({ address, problem: "" });
      } catch (problem) {
        if (!isOver) setPicture({ address: "", problem: problemText(problem) });
      }
    };
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      look();
    });
    seen.observe(box.current);
    return () => {
      isOver = true;
      seen.disconnect();
      URL.revokeObjectURL(address);
    };
  }, [text.message_id, isWanted]);
  return picture;
}

function stateText(text, isAccepted) {
  const { state, size, done } = text.file;
  if (state === "complete") return bytesText(size);
  if (state === "under_way") return t("file.under_way", { done: bytesText(done), size: bytesText(size) });
  if (state !== "offered") return t("file.with_size", { state: t(STATES[state]), size: bytesText(size) });
  const waits = text.out ? "file.offered" : isAccepted ? "file.asked" : "file.not_accepted";
  return t("file.with_size", { state: t(waits), size: bytesText(size) });
}

export function FilePart({ name, isAccepted, text }) {
  const box = useRef(null);
  const { file } = text;
  const { address, problem } = usePicture(name, text, box, file.picture && isAvailable(text));
  const part = Math.round((file.done * 100) / file.size);
  return html`<div ref=${box} class="file">
    ${address &&
    html`<button type="button" class="file-picture" aria-label=${t("file.look", { file: text.text })} onClick=${() => show("picture", { text })}>
      <img src=${address} alt="" />
    </button>`}
    <div class="file-row">
      <${Icon} name="file" />
      <span class="file-words"><bdi class="file-name words-of">${text.text}</bdi><span class="file-state">${stateText(text, isAccepted)}</span></span>
      ${isAvailable(text) && html`<${IconButton} icon="download" label=${t("file.save", { file: text.text })} onClick=${() => saveFile(name, text)} />`}
    </div>
    ${problem && html`<p class="file-state">${problem}</p>`}
    ${isUnderWay(file) &&
    html`<div class="file-row">
      <progress max="100" value=${part} aria-label=${t("file.progress", { file: text.text })}></progress>
      <${Button} kind="plain" onClick=${() => cancelFile(name, text)}>${t("file.cancel")}<//>
    </div>`}
  </div>`;
}
