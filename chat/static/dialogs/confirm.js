// Questions before something that takes much away.
import { html } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Dialog, DialogButtons } from "../parts/dialog.js";
import { Notice } from "../parts/notice.js";
import { useAction } from "../parts/use_action.js";

function Confirm({ title, lead, label, act, onClose }) {
  const [run, { busy, problem }] = useAction();
  const go = async () => {
    if (await run(act)) onClose();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${lead}</p>
    <${Notice} kind="bad">${problem}<//>
    <${DialogButtons}>
      <span class="spread"></span>
      <${Button} onClick=${onClose}>${t("cancel")}<//>
      <${Button} kind="danger" busy=${busy} onClick=${go}>${label}<//>
    <//>
  <//>`;
}

export function ConfirmDelete({ contact, onClose }) {
  const { name } = contact;
  return html`<${Confirm}
    title=${t("delete.title")}
    lead=${t("delete.lead", { name: contact.nickname || name })}
    label=${t("delete.go")}
    act=${() => model.deleteTexts(name, null)}
    onClose=${onClose}
  />`;
}

export function ConfirmRemove({ contact, onClose }) {
  const { name } = contact;
  const shown = contact.nickname || name;
  const act = async () => {
    await model.ask("decide", { name, decision: "remove" });
    model.set({ panel: false });
    model.closeConversation();
    model.say(t("done.removed", { name: shown }));
  };
  return html`<${Confirm} title=${t("remove.title", { name: shown })} lead=${t("remove.lead")} label=${t("remove.go")} act=${act} onClose=${onClose} />`;
}
