// The lists of people, with a search above them that finds people and texts.
import { html, useLayoutEffect, useRef, useState } from "../base/html.js";
import { n, t } from "../base/words.js";
import { model } from "../model/use.js";
import { IconButton } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { Results } from "./results.js";
import { PersonLine } from "./person_line.js";
import { useKeptFocus } from "./use_kept_focus.js";
import { usePart } from "./use_part.js";
import { useRoving } from "./use_roving.js";

const NEAR_PX = 400;

export function People({ state, turn }) {
  const [words, setWords] = useState("");
  const [view, setView] = useState("contacts");
  const place = useRef(null);
  const field = useRef(null);
  const roving = useRoving(place);
  useKeptFocus(place);
  useLayoutEffect(() => {
    if (view !== "contacts") model.fetchList(view).catch(() => {});
  }, [view]);
  const onKeyDown = (event) => {
    if (event.key === "Escape" && words) setWords("");
    else if (event.key === "ArrowDown") roving.focusFirst();
    else return;
    event.preventDefault();
  };
  const onScroll = (event) => {
    const { scrollHeight, scrollTop, clientHeight } = event.target;
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) model.fetchList(view).catch(() => {});
  };
  const backToField = (event) => {
    if (event.key === "Escape") {
      if (words) event.preventDefault();
      setWords("");
      field.current.focus();
    } else roving.onKeyDown(event, () => field.current.focus());
  };
  return html`<div class="search" role="search">
      <${Icon} name="search" small />
      <input
        ref=${field}
        id="search"
        type="text"
        autocomplete="off"
        spellcheck=${false}
        placeholder=${t("search.placeholder")}
        aria-label=${t("search.label")}
        value=${words}
        onInput=${(event) => setWords(event.target.value)}
        onKeyDown=${onKeyDown}
      />
      ${words && html`<${IconButton} icon="close" label=${t("search.clear")} onClick=${() => (setWords(""), field.current.focus())} />`}
    </div>
    <div ref=${place} class="lists" onScroll=${onScroll} onKeyDown=${backToField}>
      ${words.trim()
        ? html`<${Results} words=${words} state=${state} turn=${turn} />`
        : html`<${Lists} state=${state} view=${view} onView=${setView} turn=${turn} scroller=${place} />`}
    </div>`;
}

function Lists({ state, view, onView, turn, scroller }) {
  const { lists, totals, open } = state;
  const requests = lists.requests.lines;
  if (view !== "contacts") {
    return html`<button type="button" class="list-back" onClick=${() => onView("contacts")}>
        <${Icon} name="back" small />${t("list.back")}
      </button>
      <${List} title=${t(view === "archived" ? "list.archived" : "list.refused")} lines=${lists[view].lines} open=${open} turn=${turn} scroller=${scroller} empty=${t("list.empty")} />`;
  }
  return html`${requests.length > 0 &&
    html`<${List} title=${n("list.requests", totals.requests)} lines=${requests} open=${open} turn=${turn} scroller=${scroller} />
      ${lists.requests.next !== null &&
      html`<button type="button" class="list-more" onClick=${() => model.fetchList("requests")}>${t("list.more_requests")}</button>`}`}
    <${List} title=${requests.length > 0 ? t("list.contacts") : ""} label=${t("list.contacts")} lines=${lists.contacts.lines} open=${open} turn=${turn} scroller=${scroller} empty=${lists.contacts.isFetched && t("list.none")} />
    <div class="list-foot">
      ${totals.archived > 0 && html`<${Other} icon="archive" words=${n("list.archived_count", totals.archived)} onClick=${() => onView("archived")} />`}
      ${totals.refused > 0 && html`<${Other} icon="block" words=${n("list.refused_count", totals.refused)} onClick=${() => onView("refused")} />`}
    </div>`;
}

function Other({ icon, words, onClick }) {
  return html`<button type="button" class="list-other" onClick=${onClick}>
    <${Icon} name=${icon} small /><span>${words}</span><${Icon} name="chevron" small />
  </button>`;
}

function List({ title, label, lines, open, turn, empty, scroller }) {
  const { ref, from, to, style } = usePart(lines.length, scroller);
  const drawn = lines.slice(from, to);
  const hasOpen = drawn.some((line) => line.name === open?.name);
  return html`<section aria-label=${label || title}>
    ${title && html`<h2 class="list-title">${title}</h2>`}
    ${lines.length > 0
      ? html`<ul ref=${ref} class="list" style=${style}>
          ${drawn.map(
            (line, at) => html`<${PersonLine}
              key=${line.name}
              line=${line}
              isOpen=${open?.name === line.name}
              isStop=${hasOpen ? open.name === line.name : at === 0}
              turn=${turn}
            />`,
          )}
        </ul>`
      : empty && html`<p class="list-empty">${empty}</p>`}
  </section>`;
}
