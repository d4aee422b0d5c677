// Where a text is written. It grows to a third of the window; what is in it is kept in the program's encrypted store.
import { html, useCallback, useLayoutEffect, useRef, useState } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { quoteOf } from "../base/split.js";
import { n, t } from "../base/words.js";
import { sendFile } from "../model/files.js";
import { useTray } from "../model/trays.js";
import { model } from "../model/use.js";
import { IconButton } from "../parts/button.js";
import { listenReplies } from "./reply.js";
import { Tray, inTray } from "./tray.js";
import { useDrop } from "./use_drop.js";

const SAVES_AT_ONCE = 24; // of the 32 requests that the program carries out at once; more wait, and are lost if the page is left
const TELL_BELOW_BYTES = 4_000;
const PART_OF_WINDOW = 1 / 3;

function joined(quote, text) {
  return quote ? `${quote}\n${text}` : text;
}

/** What a draft was: a quote at its beginning, and the text. */
function apart(draft) {
  const lines = draft.split("\n");
  let count = 0;
  while (lines[count]?.startsWith("> ")) count += 1;
  return { quote: lines.slice(0, count).join("\n"), text: lines.slice(count).join("\n") };
}

export function Composer({ open, why, limits }) {
  const { name, contact, draft, draftRev } = open;
  const [{ quote, text }, setBoth] = useState({ quote: "", text: "" });
  const [problem, setProblem] = useState(null);
  const [sending, setSending] = useState(false);
  const [files, changeFiles] = useTray(name);
  const box = useRef(null);
  const chooser = useRef(null);
  const saved = useRef({ text: "", now: "", saving: 0 });
  saved.current.now = joined(quote, text);

  const save = useCallback(async () => {
    const state = saved.current;
    if (state.now === state.text || state.saving >= SAVES_AT_ONCE) return;
    state.text = state.now;
    state.saving += 1;
    try {
      await model.ask("save_draft", { name, text: state.text });
    } catch {
      state.text = null; // once more at the next change
    }
    state.saving -= 1;
    if (state.text !== null && state.now !== state.text) save();
  }, [name]);
  const change = (part) => {
    setBoth((both) => ({ ...both, ...part }));
    setProblem(null);
  };
  // At once, whatever comes next: a browser sends nothing more when it leaves the page.
  useLayoutEffect(() => void save(), [quote, text]);

  useLayoutEffect(() => {
    if (!draftRev) return;
    // A text that is under way already, from before this window was loaded or from another one, is no draft any more.
    saved.current.text = model.isSending(name, draft) ? "" : draft;
    const kept = apart(saved.current.text);
    // What was typed before the draft came stands below it, unless the draft is the same, as it was saved a moment ago.
    const typed = draftRev === 1 ? saved.current.now : "";
    if (typed && typed.startsWith(saved.current.text)) save();
    else setBoth((both) => (draftRev === 1 && both.text ? { ...kept, text: [kept.text, both.text].filter(Boolean).join("\n") } : kept));
  }, [draftRev]);
  useLayoutEffect(() => {
    window.addEventListener("pagehide", save);
    return () => {
      window.removeEventListener("pagehide", save);
      save();
    };
  }, [save]);
  useLayoutEffect(
    () =>
      listenReplies((answered) => {
        change({ quote: quoteOf(answered.text) });
        box.current?.focus();
      }),
    [],
  );
  useLayoutEffect(() => {
    if (!why && !window.matchMedia("(pointer: coarse)").matches) box.current?.focus();
  }, [why, open.visit]);
  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return undefined;
    const fit = () => {
      const { form } = area;
      form.style.minHeight = `${form.offsetHeight}px`; // while it is measured, the texts must not get its place, and move
      area.style.height = "auto";
      const height = Math.min(area.scrollHeight, window.innerHeight * PART_OF_WINDOW);
      form.style.minHeight = "";
      area.style.height = `${height}px`;
    };
    fit();
    window.addEventListener("resize", fit);
    return () => window.removeEventListener("resize", fit);
  }, [text, why]);

  const addFiles = (chosen) => {
    changeFiles((before) => [...before, ...[...chosen].map(inTray)]);
    box.current?.focus();
  };
  const isOver = useDrop(why ? null : addFiles);

  if (why) return html`<div class="composer is-closed" role="status">${why}</div>`;
  const whole = joined(quote, text);
  const left = limits.text_bytes_max - new TextEncoder().encode(whole).length;
  const fit = files.every(({ file }) => file.size <= limits.file_bytes_max);
  const canSend = (text.trim() || files.length) && left >= 0 && fit && !sending;
  const send = async () => {
    if (!canSend) return;
    save();
    setProblem(null);
    setSending(true); // the text stays here until it is on the disk: nothing is called sent that is not
    try {
      for (const { file, asItIs, key } of files) {
        await sendFile(name, file, asItIs);
        changeFiles((before) => before.filter((each) => each.key !== key));
      }
      if (text.trim()) {
        await model.send(name, whole.toWellFormed()); // half a character, of a broken paste, can't be sent
        saved.current.text = ""; // the program has let go of the draft
        setBoth({ quote: "", text: "" });
      }
    } catch (error) {
      setProblem(error);
    }
    setSending(false);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && quote) {
      event.preventDefault();
      change({ quote: "" });
    }
  };
  const choose = (event) => {
    addFiles(event.target.files);
    event.target.value = ""; // the same one may be chosen again
  };
  const onPaste = (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    addFiles(event.clipboardData.files);
  };
  let said = "";
  if (problem) said = problemText(problem);
  else if (left < 0) said = n("composer.too_long", -left);
  else if (left < TELL_BELOW_BYTES) said = n("composer.left", left);
  const label = t("composer.label", { name: contact.nickname || name });
  return html`<form class="composer" onSubmit=${(event) => (event.preventDefault(), send())}>
    ${quote &&
    html`<div key="quote" class="composer-quote">
      <blockquote dir="auto" aria-label=${t("composer.quote")}>${quote.replace(/^> ?/gm, "")}</blockquote>
      <${IconButton} icon="close" label=${t("composer.no_quote")} onClick=${() => change({ quote: "" })} />
    </div>`}
    ${files.length > 0 && html`<${Tray} key="tray" files=${files} limits=${limits} disabled=${sending} onChange=${changeFiles} />`}
    <div key="row" class=${`composer-row ${isOver ? "is-over" : ""}`}>
      <textarea
        ref=${box}
        rows="1"
        dir="auto"
        autocomplete="off"
        spellcheck=${false}
        translate=${false}
        aria-label=${label}
        placeholder=${label}
        aria-describedby="composer-said"
        value=${text}
        readonly=${sending}
        onInput=${(event) => change({ text: event.target.value })}
        onKeyDown=${onKeyDown}
        onPaste=${onPaste}
        onBlur=${save}
      />
      <${IconButton} icon="attach" label=${t("composer.attach")} onClick=${() => chooser.current.click()} />
      <input ref=${chooser} type="file" multiple hidden aria-label=${t("composer.attach")} onChange=${choose} />
      <button type="submit" class="send" aria-label=${t("composer.send")} title=${t("composer.send_title")} aria-disabled=${canSend ? undefined : "true"}>
        <${SendIcon} />
      </button>
    </div>
    <p key="said" id="composer-said" class=${`composer-said ${problem || left < 0 ? "is-bad" : ""}`} role=${problem ? "alert" : "status"}>${said}</p>
  </form>`;
}

function SendIcon() {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 19V6" /><path d="M6 12l6-6 6 6" /></svg>`;
}
