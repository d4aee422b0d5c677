// An identity whose name the node does not have yet: the recovery words are shown, two are asked back, then it registers.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { CopyButton, DownloadButton, PrintButton } from "../parts/copy.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { useAction } from "../parts/use_action.js";
import { Frame } from "./frame.js";

const ASKED = 2; // enough to show that the list was written down, and quick to do

function twoOf(count) {
  const places = new Set();
  while (places.size < ASKED) places.add(window.crypto.getRandomValues(new Uint32Array(1))[0] % count);
  return [...places].sort((a, b) => a - b);
}

export function Unregistered({ home }) {
  const [words, setWords] = useState(null);
  const [asked, setAsked] = useState(null);
  const [run, { problem }] = useAction();
  useLayoutEffect(() => {
    if (home.has_words) run(async () => setWords((await model.ask("show_words")).words));
  }, [home.has_words]);
  if (!home.has_words) return html`<${HaveYouThem} home=${home} />`;
  if (words === null) return html`<${Frame} title=${t("words.title")} home=${home}><${Notice} kind="bad">${problem}<//><//>`;
  if (asked) return html`<${AskBack} home=${home} words=${words} asked=${asked} onBack=${() => setAsked(null)} />`;
  return html`<${ShowWords} home=${home} words=${words} onDone=${() => setAsked(twoOf(words.length))} />`;
}

function ShowWords({ home, words, onDone }) {
  const lines = words.map((word, at) => `${at + 1}. ${word}`).join("\n");
  return html`<${Frame} title=${t("words.title")} lead=${t("words.lead")} step=${2} home=${home} onSubmit=${onDone}>
    <section class="printed">
      <h2 class="only-printed">${t("words.printed", { name: home.name })}</h2>
      <ol class="words" aria-label=${t("words.label")}>
        ${words.map((word) => html`<li><span>${word}</span></li>`)}
      </ol>
    </section>
    <div class="row">
      <${PrintButton} />
      <${DownloadButton} text=${`${t("words.printed", { name: home.name })}\n\n${lines}\n`} file=${t("words.file", { name: home.name })} />
      <${CopyButton} text=${words.join(" ")} label=${t("copy")} />
    </div>
    <p class="soft">${t("words.care")}</p>
    <div class="row is-end"><${Button} kind="main" submit focus>${t("words.written")}<//></div>
  <//>`;
}

function AskBack({ home, words, asked, onBack }) {
  const [typed, setTyped] = useState(asked.map(() => ""));
  const [wrong, setWrong] = useState([]);
  const [run, state] = useAction();
  const go = () => {
    const bad = asked.filter((place, at) => typed[at].trim().toLowerCase() !== words[place]);
    setWrong(bad);
    if (!bad.length) run(() => model.ask("register_name"));
  };
  const change = (at, text) => {
    setTyped(typed.with(at, text));
    setWrong(wrong.filter((place) => place !== asked[at]));
  };
  return html`<${Frame} title=${t("words.which")} lead=${t("words.which_lead")} step=${2} home=${home} onSubmit=${go}>
    ${asked.map(
      (place, at) => html`<${Field}
        key=${place}
        label=${t("words.number", { number: place + 1 })}
        value=${typed[at]}
        onText=${(text) => change(at, text)}
        error=${wrong.includes(place) ? t("words.wrong") : ""}
        focus=${wrong.length ? wrong[0] === place && wrong : at === 0}
      />`,
    )}
    <${Refused} state=${state} />
    <div class="row is-end">
      <${Button} onClick=${onBack}>${t("words.again")}<//>
      <${Button} kind="main" submit busy=${state.busy || home.busy}>${t("words.register")}<//>
    </div>
  <//>`;
}

function HaveYouThem({ home }) {
  const [run, state] = useAction();
  const go = () => run(() => model.ask("register_name"));
  return html`<${Frame} title=${t("unfinished.title", { name: home.name })} lead=${t("unfinished.lead")} home=${home} onSubmit=${go}>
    <${Refused} state=${state} />
    <div class="stack">
      <${Button} kind="main" submit busy=${state.busy || home.busy}>${t("unfinished.register")}<//>
      <${Button} onClick=${() => run(() => model.ask("start_over"))}>${t("unfinished.start_over")}<//>
    </div>
  <//>`;
}

function Refused({ state }) {
  const [run, over] = useAction();
  return html`<${Notice} kind="bad">${state.problem || over.problem}<//>
    ${state.code.startsWith("name_") &&
    html`<${Button} busy=${over.busy} onClick=${() => run(() => model.ask("start_over"))}>${t("unfinished.other_name")}<//>`}`;
}
