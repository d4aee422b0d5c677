// Finds a person at the node, by name or by link.
import { html, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Dialog, DialogButtons } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Scan } from "../parts/scan.js";
import { useAction } from "../parts/use_action.js";

export function Find({ onClose }) {
  const [who, setWho] = useState("");
  const [run, { busy, problem, clear }] = useAction();
  const find = (wanted) =>
    run(async () => {
      const { contact } = await model.ask("find_person", { who: wanted.trim() });
      model.onLine(contact);
      // Closed meanwhile: the user is not taken away from what they do now.
      if (model.state.dialog?.which !== "find") return;
      onClose();
      model.openConversation(contact.name);
    });
  const change = (text) => {
    clear();
    setWho(text);
  };
  return html`<${Dialog} title=${t("find.title")} onClose=${onClose}>
    <form onSubmit=${(event) => (event.preventDefault(), who.trim() && find(who))}>
      <${Field}
        label=${t("find.label")}
        hint=${t("find.hint")}
        value=${who}
        onText=${change}
        error=${problem}
        focus=${problem ?? true}
      />
      <${Scan} onRead=${find} />
      <p class="soft">${t("find.node_sees")}</p>
      <${DialogButtons}>
        <${Button} kind="plain" icon="qr" onClick=${() => show("me")}>${t("me.title")}<//>
        <span class="spread"></span>
        <${Button} onClick=${onClose}>${t("cancel")}<//>
        <${Button} kind="main" submit busy=${busy} disabled=${!who.trim()}>${busy ? t("find.busy") : t("find.go")}<//>
      <//>
    </form>
  <//>`;
}
