// Ways to take a text along: copy it, print it, or download it as a file. The button itself says that it was done.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { saveAs } from "../model/files.js";
import { Button } from "./button.js";

const SAID_MS = 2_500;

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // a setting of the browser: the text can still be selected
  }
}

export function CopyButton({ text, label, kind }) {
  const [said, setSaid] = useState("");
  useLayoutEffect(() => {
    if (!said) return undefined;
    const timer = window.setTimeout(() => setSaid(""), SAID_MS);
    return () => window.clearTimeout(timer);
  }, [said]);
  const press = async () => setSaid((await copyText(text)) ? t("done.copied") : t("done.not_copied"));
  return html`<${Button} icon=${said ? "check" : "copy"} kind=${kind} onClick=${press}>
    <span role="status">${said || label}</span>
  <//>`;
}

/** Prints what has the class `printed`, and nothing else of the page. */
export function PrintButton() {
  return html`<${Button} icon="print" onClick=${() => window.print()}>${t("print")}<//>`;
}

export function DownloadButton({ text, file }) {
  const press = () => saveAs(new Blob([text], { type: "text/plain" }), file);
  return html`<${Button} icon="download" onClick=${press}>${t("download")}<//>`;
}
