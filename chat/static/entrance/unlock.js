// The passphrase of an account that is on this machine.
import { html, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Notice } from "../parts/notice.js";
import { Passphrase } from "../parts/passphrase.js";
import { useAction } from "../parts/use_action.js";
import { Frame } from "./frame.js";

export function Unlock({ home }) {
  const [typed, setTyped] = useState("");
  const [run, { busy, problem, code }] = useAction();
  const isWrong = code === "passphrase_wrong";
  return html`<${Frame}
    title=${t("unlock.title")}
    lead=${t("unlock.lead")}
    home=${home}
    onSubmit=${() => typed && run(() => model.ask("unlock", { passphrase: typed }))}
  >
    <${Passphrase} label=${t("pass.label")} value=${typed} onText=${setTyped} error=${isWrong ? problem : ""} focus=${isWrong ? busy : true} />
    <${Notice} kind="bad">${!isWrong && problem}<//>
    <div class="row is-end">
      <${Button} kind="main" submit busy=${busy || home.busy} disabled=${!typed}>${busy || home.busy ? t("unlock.busy") : t("unlock.go")}<//>
    </div>
  <//>`;
}
