// What a search finds: people first, then texts, the newest on top.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { problemText } from "../base/problems.js";
import { short } from "../base/time.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Avatar } from "../parts/avatar.js";
import { Highlighted } from "../parts/highlighted.js";
import { PersonLine } from "./person_line.js";

const LOOK_AFTER_MS = 150;
const PAGE = 50; // results that are shown at once

export function Results({ words, state, turn }) {
  const [found, setFound] = useState(null);
  const [looking, setLooking] = useState(false);
  const [problem, setProblem] = useState(null);
  const wanted = words.trim();
  useLayoutEffect(() => {
    let isOver = false;
    const timer = window.setTimeout(() => look(null, () => isOver), LOOK_AFTER_MS);
    return () => {
      isOver = true;
      window.clearTimeout(timer);
    };
  }, [wanted]);
  /** Finds a page more. Each answer is of a part of the texts, so that none of them takes long, and is shown at once. */
  const look = async (before, isOver = () => false) => {
    const wantedTexts = (before?.texts.length ?? 0) + PAGE;
    let all = before;
    setLooking(true);
    try {
      do {
        const part = await model.ask("search", { words: wanted, after: all?.next ?? null });
        if (isOver()) return;
        all = all ? { ...all, texts: [...all.texts, ...part.texts], next: part.next } : part;
        setFound(all);
      } while (all.next !== null && all.texts.length < wantedTexts);
    } catch (error) {
      if (isOver()) return;
      setProblem(error);
    }
    setLooking(false);
  };
  if (problem) return html`<p class="list-empty" role="alert">${problemText(problem)}</p>`;
  if (!found) return null;
  const isEmpty = !found.contacts.length && !found.texts.length;
  if (isEmpty && !looking) return html`<p class="list-empty" role="status">${t("search.nothing", { words: wanted })}</p>`;
  return html`${found.contacts.length > 0 &&
    html`<section aria-label=${t("search.people")}>
      <h2 class="list-title">${t("search.people")}</h2>
      <ul class="list">
        ${found.contacts.map((line) => html`<${PersonLine} key=${line.name} line=${line} words=${wanted} isOpen=${state.open?.name === line.name} turn=${turn} />`)}
      </ul>
    </section>`}
    ${found.texts.length > 0 &&
    html`<section aria-label=${t("search.texts")}>
      <h2 class="list-title">${t("search.texts")}</h2>
      <ul class="list">
        ${found.texts.map((text) => html`<${FoundText} key=${`${text.name} ${text.row}`} text=${text} words=${wanted} />`)}
      </ul>
      ${found.next !== null && !looking && html`<button type="button" class="list-more" onClick=${() => look(found)}>${t("search.more")}</button>`}
    </section>`}
    ${looking && html`<p class="list-empty is-looking" role="status">${t("search.older")}</p>`}`;
}

function FoundText({ text, words }) {
  const shown = text.nickname || text.name;
  const identity = model.lineOf(text.name)?.key ?? "";
  return html`<li>
    <button type="button" data-stop=${`${text.name} ${text.row}`} class="line" onClick=${() => model.openConversation(text.name, text.row)}>
      <${Avatar} name=${shown} identity=${identity} />
      <span class="line-words">
        <span class="line-first">
          <bdi class="line-name">${shown}</bdi><span class="spread"></span><span class="line-time">${short(text.at)}</span>
        </span>
        <span class="line-second">
          <span class="line-last">${text.out && t("line.you")} <bdi><${Highlighted} text=${text.snippet} words=${words} /></bdi></span>
        </span>
      </span>
    </button>
  </li>`;
}
