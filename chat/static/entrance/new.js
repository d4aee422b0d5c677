// A first run: what this is, then a name, then a passphrase; or an account that exists.
import { html, useLayoutEffect, useRef, useState } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { NO_PASSPHRASE, NewPassphrase, takePassphrase } from "../parts/passphrase.js";
import { useAction } from "../parts/use_action.js";
import { Frame } from "./frame.js";
import { Restore } from "./restore.js";

const LOOK_AFTER_MS = 400;
const LOOK_AGAIN_MS = 3_000;
const SILENT = ["no_answer", "not_ready", "busy", "closed", "no_mixnet"];

export function New({ home }) {
  const [step, setStep] = useState("welcome");
  const [name, setName] = useState(home.name);
  if (step === "restore") return html`<${Restore} home=${home} name=${name} onBack=${() => setStep("name")} />`;
  if (step === "name") {
    const take = (free) => {
      setName(free);
      setStep("passphrase");
    };
    return html`<${ChooseName} home=${home} name=${name} onName=${take} onBack=${() => setStep("welcome")} onRestore=${(typed) => (setName(typed), setStep("restore"))} />`;
  }
  if (step === "passphrase") return html`<${ChoosePassphrase} home=${home} name=${name} onBack=${() => setStep("name")} />`;
  return html`<${Frame} title=${t("welcome.title")} lead=${t("welcome.lead")} home=${home} onSubmit=${() => setStep("name")}>
    <ul class="points">
      <li>${t("welcome.point_name")}</li>
      <li>${t("welcome.point_seal")}</li>
      <li>${t("welcome.point_route")}</li>
    </ul>
    <div class="stack">
      <${Button} kind="main" submit focus>${t("welcome.begin")}<//>
      <${Button} onClick=${() => setStep("restore")}>${t("welcome.restore")}<//>
      ${home.can_change_network &&
      html`<${Button} kind="plain" onClick=${() => model.ask("forget_network")}>${t("welcome.other_node")}<//>`}
    </div>
  <//>`;
}

function ChooseName({ home, name, onName, onBack, onRestore }) {
  const [typed, setTyped] = useState(name);
  const [found, setFound] = useState({ typed: "", free: "", problem: null });
  const asked = useRef("");
  useLayoutEffect(() => {
    asked.current = typed;
    if (!typed.trim()) return undefined;
    const look = async () => {
      const say = (result) => asked.current === typed && setFound({ typed, free: "", problem: null, ...result });
      try {
        say({ free: (await model.ask("check_name", { name: typed })).name });
      } catch (problem) {
        say({ problem });
        if (SILENT.includes(problem.code) && asked.current === typed) timer = window.setTimeout(look, LOOK_AGAIN_MS);
      }
    };
    let timer = window.setTimeout(look, LOOK_AFTER_MS);
    return () => {
      window.clearTimeout(timer);
      asked.current = "";
    };
  }, [typed]);
  const isKnown = found.typed === typed && typed.trim();
  const free = isKnown ? found.free : "";
  return html`<${Frame} title=${t("name.title")} lead=${t("name.lead")} step=${0} home=${home} onSubmit=${() => free && onName(free)}>
    <${Field}
      label=${t("name.label")}
      value=${typed}
      onText=${setTyped}
      maxlength="64"
      focus
      hint=${t("name.hint")}
      error=${isKnown && found.problem ? problemText(found.problem) : ""}
      good=${free ? t("name.free", { name: free }) : ""}
    />
    <div class="row">
      <${Button} kind="plain" onClick=${() => onRestore(typed)}>${t("welcome.restore")}<//>
    </div>
    <div class="row is-end">
      <${Button} onClick=${onBack}>${t("back")}<//>
      <${Button} kind="main" submit disabled=${!free}>${t("continue")}<//>
    </div>
  <//>`;
}

function ChoosePassphrase({ home, name, onBack }) {
  const [value, setValue] = useState(NO_PASSPHRASE);
  const [without, setWithout] = useState(false);
  const [run, { busy, problem }] = useAction();
  const go = () => {
    const passphrase = without ? null : takePassphrase(value, setValue);
    if (passphrase !== null || without) run(() => model.ask("create_account", { name, passphrase }));
  };
  return html`<${Frame} title=${t("pass.title")} lead=${t("pass.lead")} step=${1} home=${home} onSubmit=${go}>
    ${!without && html`<${NewPassphrase} label=${t("pass.label")} value=${value} onChange=${setValue} focus />`}
    <label class="choice">
      <input type="checkbox" checked=${without} onChange=${(event) => setWithout(event.target.checked)} />
      <span><b>${t("pass.none")}</b>${without && html`<small class="is-bad">${t("pass.none_warning")}</small>`}</span>
    </label>
    <${Notice} kind="bad">${problem}<//>
    <div class="row is-end">
      <${Button} onClick=${onBack}>${t("back")}<//>
      <${Button} kind=${without ? "danger" : "main"} submit busy=${busy || home.busy}>
        ${without ? t("pass.go_without") : t("continue")}
      <//>
    </div>
  <//>`;
}
