// One text. What a person wrote only ever becomes a text node.
import { html, useMemo, useRef } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { splitAddresses, splitQuote } from "../base/split.js";
import { clock, full, iso } from "../base/time.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { IconButton } from "../parts/button.js";
import { Tick, stateWords } from "../parts/tick.js";
import { FilePart } from "./file.js";
import { reply } from "./reply.js";

const LONG_PRESS_MS = 500;
const FAILED = ["expired", "refused", "cancelled"];
const BIG = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f]*){1,4}$/u;

function Words({ text }) {
  const { quote, rest } = useMemo(() => splitQuote(text), [text]);
  const pieces = useMemo(() => splitAddresses(rest), [rest]);
  return html`${quote && html`<blockquote dir="auto">${quote}</blockquote>`}<span class=${`words-of ${BIG.test(text) ? "is-big" : ""}`} dir="auto">${pieces.map((piece) =>
    piece.address
      ? html`<button type="button" class="address" onClick=${() => show("address", { address: piece.address })}>${piece.text}</button>`
      : piece.text,
  )}</span>`;
}

/** The state of an own text when it needs words: it failed, or something keeps it waiting. */
function troubleWords(text) {
  if (!text.out || !(FAILED.includes(text.state) || (text.state === "waiting" && text.reason))) return "";
  const words = stateWords(text.state);
  return text.reason ? t("state.because", { state: words, why: problemText(text.reason) }) : words;
}

export function Bubble({ text, name, isAccepted, first, last, isFound, isStop, turn, onMenu }) {
  const pressing = useRef(0);
  const item = useRef(null);
  return useMemo(() => {
    const trouble = troubleWords(text);
    const moment = text.late ? text.sent_at : text.arrived_at;
    // An offer that has arrived is no file that has: until all of it is there, its progress says enough.
    const hasTick = text.out && !(text.file && text.state === "delivered" && text.file.state !== "complete");
    const tick = text.out ? t("state.title", { state: stateWords(text.state), time: full(text.arrived_at) }) : "";
    const stopPress = () => window.clearTimeout(pressing.current);
    const press = (event) => {
      stopPress();
      if (event.pointerType === "touch") pressing.current = window.setTimeout(() => onMenu(item.current), LONG_PRESS_MS);
    };
    return html`<li
      ref=${item}
      data-row=${text.row}
      class=${`text ${text.out ? "is-mine" : "is-theirs"} ${first ? "is-first" : ""} ${last ? "is-last" : ""} ${isFound ? "is-found" : ""}`}
      tabindex=${isStop ? 0 : -1}
      onPointerDown=${press}
      onPointerUp=${stopPress}
      onPointerMove=${stopPress}
      onPointerCancel=${stopPress}
    >
      <span class="unseen">${text.out ? t("text.you") : ""}</span>
      <div class="bubble">
        ${text.file ? html`<${FilePart} name=${name} isAccepted=${isAccepted} text=${text} />` : html`<${Words} text=${text.text} />`}
        ${(last || text.late || text.out) &&
        html`<span class="meta">
          ${text.late && html`<span class="late">${t("text.late")}</span>`}
          ${(last || text.late) && html`<time datetime=${iso(moment)} title=${full(moment)}>${clock(text.arrived_at)}</time>`}
          ${hasTick && html`<${Tick} state=${text.state} title=${tick} />`}
        </span>`}
      </div>
      <div class="text-actions">
        <${IconButton} icon="reply" label=${t("text.reply")} tabindex="-1" onClick=${() => reply(text)} />
        <${IconButton} icon="more" label=${t("text.actions", { text: text.text.slice(0, 60) })} tabindex="-1" onClick=${() => onMenu(item.current)} />
      </div>
      ${trouble && html`<p class="trouble">${trouble}</p>`}
    </li>`;
  }, [text, isAccepted, first, last, isFound, isStop, turn]);
}

/** A text that is being stored. */
export function Storing({ text }) {
  return html`<li class="text is-mine is-first is-last is-storing">
    <div class="bubble"><${Words} text=${text} /><span class="meta"><${Tick} state="storing" /></span></div>
  </li>`;
}
