// When texts of a conversation disappear from this device.
import { html, useState } from "../base/html.js";
import { DURATIONS, UNITS, durationText } from "../base/durations.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Dialog, DialogButtons } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { useAction } from "../parts/use_action.js";

const UNIT_WORDS = { minutes: "duration.unit_minutes", hours: "duration.unit_hours", days: "duration.unit_days" };

export function Disappearing({ contact, onClose }) {
  const { name, disappears_after } = contact;
  const isUsual = DURATIONS.includes(disappears_after);
  const [chosen, setChosen] = useState(isUsual ? disappears_after : "other");
  const [count, setCount] = useState(isUsual ? "10" : String(Math.round(disappears_after / 60)));
  const [unit, setUnit] = useState("minutes");
  const [run, { busy, problem }] = useAction();
  const seconds = chosen === "other" ? Math.round(Number(count) * UNITS[unit]) : chosen;
  const isPossible = seconds === null || (Number.isFinite(seconds) && seconds > 0);
  const apply = async (event) => {
    event.preventDefault();
    if (isPossible && (await run(() => model.ask("set_disappearing", { name, seconds })))) onClose();
  };
  const choice = (value, words) => html`<label class="choice">
    <input type="radio" name="after" checked=${chosen === value} onChange=${() => setChosen(value)} /><span>${words}</span>
  </label>`;
  return html`<${Dialog} title=${t("disappearing.title")} onClose=${onClose}>
    <form onSubmit=${apply}>
      <p>${t("disappearing.lead", { name: contact.nickname || name })}</p>
      <fieldset class="choices">
        <legend>${t("disappearing.after")}</legend>
        ${DURATIONS.map((each) => choice(each, durationText(each)))} ${choice("other", t("duration.custom"))}
      </fieldset>
      ${chosen === "other" &&
      html`<${Field}
        label=${t("duration.custom")}
        type="number"
        min="1"
        value=${count}
        onText=${setCount}
        after=${html`<select class="field-box" aria-label=${t("duration.unit")} value=${unit} onChange=${(event) => setUnit(event.target.value)}>
          ${Object.keys(UNITS).map((each) => html`<option value=${each}>${t(UNIT_WORDS[each])}</option>`)}
        </select>`}
      />`}
      <p class="soft">${t("disappearing.older")}</p>
      <${Notice} kind="bad">${problem}<//>
      <${DialogButtons}>
        <span class="spread"></span>
        <${Button} onClick=${onClose}>${t("cancel")}<//>
        <${Button} kind="main" submit busy=${busy} disabled=${!isPossible}>${t("disappearing.apply")}<//>
      <//>
    </form>
  <//>`;
}
