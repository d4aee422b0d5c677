// What can be done with one text.
import { html } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { cancelFile, saveFile } from "../model/files.js";
import { model } from "../model/use.js";
import { copyText } from "../parts/copy.js";
import { Menu } from "../parts/menu.js";
import { isAvailable, isUnderWay } from "./file.js";
import { reply } from "./reply.js";

const LABEL_LETTERS = 60;
const AGAIN = ["expired", "refused", "cancelled"];

async function tell(work) {
  try {
    await work();
  } catch (problem) {
    model.say(problemText(problem));
  }
}

export function TextMenu({ name, contact, text, at, onClose }) {
  const of = { name, message_id: text.message_id };
  const items = [];
  if (contact.state === "accepted") items.push({ label: t("text.reply"), icon: "reply", act: () => reply(text) });
  items.push({
    label: t("copy"),
    icon: "copy",
    act: async () => model.say(t((await copyText(text.text)) ? "done.copied" : "done.not_copied")),
  });
  items.push({ label: t("text.details"), icon: "info", act: () => show("details", { text }) });
  if (text.file) {
    if (isAvailable(text)) items.push({ label: t("file.save_short"), icon: "download", act: () => saveFile(name, text) });
    if (isUnderWay(text.file)) items.push({ label: t("file.cancel"), icon: "close", act: () => cancelFile(name, text) });
  } else if (text.state === "waiting") {
    items.push({ label: t("text.try_now"), icon: "send", act: () => tell(() => model.ask("retry", of)) });
    items.push({ label: t("text.cancel"), icon: "close", act: () => tell(() => model.ask("cancel", of)) });
  }
  if (!text.file && AGAIN.includes(text.state)) {
    items.push({ label: t("text.send_again"), icon: "send", act: () => tell(() => model.ask("retry", of)) });
  }
  items.push({ label: t("text.delete"), icon: "trash", danger: true, act: () => tell(() => model.deleteTexts(name, [text.row])) });
  const label = t("text.actions", { text: text.text.slice(0, LABEL_LETTERS) });
  return html`<${Menu} label=${label} items=${items} at=${at} onClose=${onClose} />`;
}
