// Passphrases have one rule on all pages: a least length, and a new one is typed twice unless it is shown.
import { html, useState } from "../base/html.js";
import { n, t } from "../base/words.js";
import { model } from "../model/use.js";
import { IconButton } from "./button.js";
import { Field } from "./field.js";

/** An existing passphrase. */
export function Passphrase({ value, onText, label, shown, onShown, ...more }) {
  const [own, setOwn] = useState(false);
  const isShown = shown ?? own;
  const toggle = html`<${IconButton}
    icon=${isShown ? "eye_off" : "eye"}
    label=${isShown ? t("pass.hide") : t("pass.show")}
    aria-pressed=${isShown ? "true" : "false"}
    onClick=${() => (onShown ?? setOwn)(!isShown)}
  />`;
  return html`<${Field}
    label=${label}
    type=${isShown ? "text" : "password"}
    value=${value}
    onText=${onText}
    after=${toggle}
    ...${{ autocomplete: "current-password", ...more }}
  />`;
}

export const NO_PASSPHRASE = { first: "", again: "", shown: false, wrong: null };

/** The program's rule, in the words of this key. */
function rule(key) {
  const { passphrase_min, passphrase_different } = model.state.limits;
  return n(key, passphrase_min, { different: passphrase_different });
}

function longEnough(passphrase) {
  const { passphrase_min, passphrase_different } = model.state.limits;
  const letters = [...passphrase.normalize("NFC")];
  return letters.length >= passphrase_min && new Set(letters).size >= passphrase_different;
}

/** Why a new passphrase can't be taken yet: which field is wrong; null if it can. */
function wrongWith({ first, again, shown }) {
  if (!longEnough(first)) return { first: true };
  if (!shown && again !== first) return { again: true };
  return null;
}

/** The passphrase, or null after showing what is wrong with it. */
export function takePassphrase(value, onChange) {
  const wrong = wrongWith(value);
  onChange({ ...value, wrong });
  return wrong ? null : value.first;
}

/** A new one. `value` begins as `NO_PASSPHRASE`. */
export function NewPassphrase({ value, onChange, label, focus }) {
  const { first, again, shown, wrong } = value;
  const change = (part) => onChange({ ...value, wrong: null, ...part });
  return html`<${Passphrase}
      label=${label}
      value=${first}
      onText=${(text) => change({ first: text })}
      shown=${shown}
      onShown=${(now) => change({ shown: now })}
      hint=${rule("pass.hint")}
      error=${wrong?.first && rule("problem.passphrase_weak")}
      good=${longEnough(first) && !wrong?.first ? t("pass.long_enough") : ""}
      autocomplete="new-password"
      focus=${focus || (wrong?.first ? wrong : false)}
    />
    ${!shown &&
    html`<${Field}
      label=${t("pass.again")}
      type="password"
      value=${again}
      onText=${(text) => change({ again: text })}
      error=${wrong?.again && t("pass.differ")}
      autocomplete="new-password"
      focus=${wrong?.again ? wrong : false}
    />`}`;
}
