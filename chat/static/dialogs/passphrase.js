// Another passphrase for this account.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { DialogButtons } from "../parts/dialog.js";
import { Notice } from "../parts/notice.js";
import { NO_PASSPHRASE, NewPassphrase, Passphrase, takePassphrase } from "../parts/passphrase.js";
import { useAction } from "../parts/use_action.js";

export function ChangePassphrase() {
  const [isProtected, setProtected] = useState(null);
  const [old, setOld] = useState("");
  const [value, setValue] = useState(NO_PASSPHRASE);
  const [done, setDone] = useState(false);
  const [run, { busy, problem, code }] = useAction();
  useLayoutEffect(() => {
    run(async () => setProtected((await model.ask("get_about")).protected));
  }, []);
  if (isProtected === null) return html`<${Notice} kind="bad">${problem}<//>`;
  const change = async (event) => {
    event.preventDefault();
    setDone(false);
    const taken = takePassphrase(value, setValue);
    if (taken === null) return;
    if (!(await run(() => model.ask("change_passphrase", { old: isProtected ? old : null, new: taken })))) return;
    setOld("");
    setValue(NO_PASSPHRASE);
    setProtected(true);
    setDone(true);
  };
  const isWrong = code === "passphrase_wrong";
  return html`<form onSubmit=${change}>
    ${isProtected && html`<${Passphrase} label=${t("pass.current")} value=${old} onText=${setOld} error=${isWrong ? problem : ""} />`}
    <${NewPassphrase} label=${t("pass.new")} value=${value} onChange=${setValue} />
    <${Notice} kind="bad">${!isWrong && problem}<//>
    <${Notice} kind="good">${done && t("pass.changed")}<//>
    <${DialogButtons}><span class="spread"></span><${Button} kind="main" submit busy=${busy}>${t("pass.change")}<//><//>
  </form>`;
}
