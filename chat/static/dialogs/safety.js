// Safety numbers: compared by eye, by typing, or by a scanned code. A mismatch is never one press away from "verified".
import { html, useLayoutEffect, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { CopyButton } from "../parts/copy.js";
import { Dialog, DialogButtons } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { QrCode } from "../parts/qr.js";
import { Scan } from "../parts/scan.js";
import { useAction } from "../parts/use_action.js";

const LEADS = { verified: "safety.verified", confirmed: "safety.confirmed", changed: "safety.changed" };

export function Safety({ contact, onClose }) {
  const [number, setNumber] = useState(null);
  const [typed, setTyped] = useState("");
  const [differed, setDiffered] = useState(false);
  const [sure, setSure] = useState(false);
  const [done, setDone] = useState(false);
  const [run, state] = useAction();
  const { name } = contact;
  const shown = contact.nickname || name;
  useLayoutEffect(() => {
    run(async () => setNumber(await model.ask("get_safety_number", { name })));
  }, [contact.key]);
  const identity_key = number?.identity_key;
  const compare = (seen) =>
    run(async () => {
      setDone(false);
      try {
        await model.ask("verify", { name, seen, identity_key });
        setDone(true);
      } catch (problem) {
        if (problem.code === "numbers_differ") setDiffered(true);
        throw problem;
      }
    });
  const confirm = async () => {
    const isDone = await run(async () => {
      try {
        await model.ask("confirm_verified", { name, identity_key, although_differed: differed && sure });
      } catch (problem) {
        if (problem.code === "numbers_differed") setDiffered(true);
        throw problem;
      }
    });
    if (isDone) onClose();
  };
  const unverify = async () => {
    if (await run(() => model.ask("unverify", { name, identity_key }))) onClose();
  };
  const isNotANumber = state.code === "not_a_number";
  return html`<${Dialog} title=${t("safety.title", { name: shown })} onClose=${onClose} wide>
    <p>${t(LEADS[contact.trust], { name: shown })}</p>
    ${number &&
    html`<div class="safety">
        <${QrCode} rows=${number.qr} label=${t("safety.qr")} />
        <div>
          <div class="digits" dir="ltr" role="group" aria-label=${t("safety.number")}>
            ${number.number.split(" ").map((group) => html`<span>${group}</span>`)}
          </div>
          <${CopyButton} text=${number.number} label=${t("safety.copy")} kind="plain" />
        </div>
      </div>
      <form onSubmit=${(event) => (event.preventDefault(), compare(typed))}>
        <${Field}
          label=${t("safety.seen", { name: shown })}
          hint=${t("safety.seen_hint")}
          value=${typed}
          onText=${setTyped}
          inputmode="numeric"
          error=${isNotANumber ? state.problem : ""}
          focus=${isNotANumber ? state.problem : false}
          after=${html`<${Button} submit busy=${state.busy} disabled=${!typed.trim()}>${t("safety.compare")}<//>`}
        />
      </form>
      <${Scan} onRead=${compare} />
      <${Notice} kind="good">${done && t("safety.same", { name: shown })}<//>`}
    <${Notice} kind="bad">${!isNotANumber && state.problem}<//>
    ${differed &&
    html`<label class="choice">
      <input type="checkbox" checked=${sure} onChange=${(event) => setSure(event.target.checked)} />
      <span><b>${t("safety.sure")}</b><small>${t("safety.sure_hint")}</small></span>
    </label>`}
    <${DialogButtons}>
      ${contact.trust === "verified" && html`<${Button} kind="plain" busy=${state.busy} onClick=${unverify}>${t("safety.unverify")}<//>`}
      ${contact.trust === "changed" && html`<${Button} kind="plain" busy=${state.busy} onClick=${unverify}>${t("changed.continue")}<//>`}
      <span class="spread"></span>
      <${Button} onClick=${onClose}>${t("close")}<//>
      ${contact.trust !== "verified" &&
      html`<${Button} kind=${differed ? "danger" : "main"} busy=${state.busy} disabled=${!number || (differed && !sure)} onClick=${confirm}>${t("safety.same_button")}<//>`}
    <//>
  <//>`;
}
