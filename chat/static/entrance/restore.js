// An account that exists, brought to this machine by its recovery words.
import { html, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { NO_PASSPHRASE, NewPassphrase, takePassphrase } from "../parts/passphrase.js";
import { useAction } from "../parts/use_action.js";
import { Frame } from "./frame.js";

const OF_WORDS = ["words_invalid", "words_of_other"];

/** Recovery words as they were typed, as the program wants them. */
export function tidyWords(words) {
  return words.toLowerCase().split(/[\s,;.\d]+/u).filter(Boolean).join(" ");
}

export function Restore({ home, name: known, onBack }) {
  const [name, setName] = useState(known);
  const [words, setWords] = useState("");
  const [value, setValue] = useState(NO_PASSPHRASE);
  const [replace, setReplace] = useState(false);
  const [run, { busy, problem, code }] = useAction();
  const go = () => {
    const passphrase = takePassphrase(value, setValue);
    if (passphrase === null) return;
    run(() => model.ask("restore_account", { name: name.trim(), words: tidyWords(words), passphrase, replace }));
  };
  const isOfWords = OF_WORDS.includes(code);
  return html`<${Frame} title=${t("restore.title")} lead=${t("restore.lead")} home=${home} onSubmit=${go}>
    <${Field} label=${t("name.label")} value=${name} onText=${setName} maxlength="64" focus />
    <${Field}
      label=${t("restore.words")}
      hint=${t("restore.words_hint")}
      lines=${3}
      value=${words}
      onText=${setWords}
      error=${isOfWords ? problem : ""}
    />
    <${NewPassphrase} label=${t("restore.passphrase")} value=${value} onChange=${setValue} />
    <label class="choice">
      <input type="checkbox" checked=${replace} onChange=${(event) => setReplace(event.target.checked)} />
      <span><b>${t("restore.replace")}</b><small>${t("restore.replace_hint")}</small></span>
    </label>
    <${Notice} kind="bad">${!isOfWords && problem}<//>
    <div class="row is-end">
      <${Button} onClick=${onBack}>${t("back")}<//>
      <${Button} kind="main" submit busy=${busy || home.busy}>${t("restore.go")}<//>
    </div>
  <//>`;
}
