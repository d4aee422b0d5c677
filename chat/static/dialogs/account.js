// What can't be taken back: another identity after a theft, and the end of the account.
import { html, useState } from "../base/html.js";
import { full } from "../base/time.js";
import { n, t } from "../base/words.js";
import { tidyWords } from "../entrance/restore.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { useAction } from "../parts/use_action.js";

export function ReplaceIdentity() {
  const [words, setWords] = useState("");
  const [count, setCount] = useState(null);
  const [run, { busy, problem }] = useAction();
  const replace = (event) => {
    event.preventDefault();
    setCount(null);
    run(async () => {
      setCount((await model.ask("replace_identity", { words: tidyWords(words) })).recoveries);
      setWords("");
    });
  };
  return html`<form onSubmit=${replace}>
    <p>${t("replace.lead")}</p>
    <${Field} label=${t("restore.words")} hint=${t("restore.words_hint")} lines=${3} value=${words} onText=${setWords} error=${problem} />
    <div class="row is-end"><${Button} kind="danger" submit busy=${busy} disabled=${!words.trim()}>${t("replace.go")}<//></div>
    <${Notice} kind="good">${count !== null && n("replace.done", count)}<//>
  </form>`;
}

export function DeleteAccount({ home }) {
  const [typed, setTyped] = useState("");
  const [until, setUntil] = useState(null);
  const [run, { busy, problem }] = useAction();
  const remove = (event) => {
    event.preventDefault();
    run(async () => setUntil((await model.ask("delete_account", { name: typed.trim() })).until));
  };
  return html`<form onSubmit=${remove}>
    <p>${t("delete_account.lead")}</p>
    <${Field} label=${t("delete_account.type", { name: home.name })} value=${typed} onText=${setTyped} error=${problem} />
    <div class="row is-end">
      <${Button} kind="danger" submit busy=${busy} disabled=${typed.trim() !== home.name}>${t("delete_account.go")}<//>
    </div>
    <${Notice} kind="good">${until !== null && t("delete_account.done", { until: full(until) })}<//>
  </form>`;
}
