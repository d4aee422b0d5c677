// The texts of a conversation. The newest stays in view unless the reader has moved up; older ones come by themselves.
import { Fragment, html, useCallback, useLayoutEffect, useMemo, useRef, useState } from "../base/html.js";
import { day } from "../base/time.js";
import { n, t } from "../base/words.js";
import { grouped } from "../model/texts.js";
import { model } from "../model/use.js";
import { Icon } from "../parts/icon.js";
import { Bubble, Storing } from "./bubble.js";
import { TextMenu } from "./text_menu.js";

const NEAR_PX = 80; // from the newest: still "at the bottom"
const FETCH_PX = 600; // from the end: fetch before it is reached

export function Texts({ open, turn }) {
  const { name, contact, texts, outgoing, older, newer, found } = open;
  const box = useRef(null);
  const inner = useRef(null);
  const place = useRef({ first: 0, height: 0, view: 0, marked: 0 });
  const [atBottom, setAtBottom] = useState(true);
  const [menu, setMenu] = useState(null);
  const [stop, setStop] = useState(null);
  const groups = useMemo(() => grouped(texts ?? []), [texts, turn]);
  const current = useRef(null);
  current.current = open;

  const see = useCallback(() => {
    const { contact, texts, name } = current.current;
    if (!box.current || contact?.state !== "accepted" || !texts?.length || document.visibilityState !== "visible" || !document.hasFocus()) return;
    const bottom = box.current.getBoundingClientRect().bottom;
    const seen = texts.findLast((text) => !text.out && !text.read && text.row > place.current.marked && isAbove(box.current, text.row, bottom));
    if (!seen) return;
    place.current.marked = seen.row;
    model.ask("mark_read", { name, row: seen.row }).catch(() => (place.current.marked = 0));
  }, []);

  const toBottom = () => {
    if (!box.current) return;
    box.current.scrollTop = box.current.scrollHeight;
  };

  /** Whether the reader is near the newest text, now or in the sizes that were there before what has just been drawn. A `scroll` event
      says it too late: it comes with the next painting, and a text may come first. */
  const isAtBottom = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    return Math.min(place.current.height - place.current.view, scrollHeight - clientHeight) - scrollTop < NEAR_PX;
  };

  const measure = () => {
    const { scrollHeight, clientHeight } = box.current;
    Object.assign(place.current, { height: scrollHeight, view: clientHeight });
    setAtBottom(isAtBottom());
  };

  useLayoutEffect(() => {
    if (!texts) return;
    const now = place.current;
    const first = texts[0]?.row ?? 0;
    const view = box.current;
    if (found !== null && now.turn !== open.turn) {
      view.querySelector(`[data-row="${found}"]`)?.scrollIntoView({ block: "center" });
    } else if (now.turn !== open.turn) toBottom();
    else if (now.first && first !== now.first) view.scrollTop += heightAbove(view, now.first);
    else if (isAtBottom() && !newer) toBottom();
    Object.assign(now, { first, turn: open.turn });
    measure();
    see();
  }, [texts, outgoing, open.turn]);

  useLayoutEffect(() => {
    const sizes = new ResizeObserver(() => {
      if (!box.current) return; // closed
      if (isAtBottom() && !current.current.newer) toBottom();
      measure();
      see();
    });
    sizes.observe(box.current);
    sizes.observe(inner.current);
    document.addEventListener("visibilitychange", see);
    window.addEventListener("focus", see);
    return () => {
      sizes.disconnect();
      document.removeEventListener("visibilitychange", see);
      window.removeEventListener("focus", see);
    };
  }, []);

  const onScroll = () => {
    if (!box.current) return; // closed: the browser tells of a scroll with the next frame
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    const left = scrollHeight - scrollTop - clientHeight;
    setAtBottom(isAtBottom());
    if (older && scrollTop < FETCH_PX) model.more(true);
    if (newer && left < FETCH_PX) model.more(false);
    see();
  };

  const toNewest = () => (newer ? model.openConversation(name) : toBottom());
  const onKeyDown = (event) => {
    const rows = [...inner.current.querySelectorAll("[data-row]")];
    const here = rows.indexOf(event.target);
    if (here < 0) return;
    const places = { ArrowUp: here - 1, ArrowDown: here + 1, Home: 0, End: rows.length - 1 };
    if (event.key in places) rows[Math.max(0, places[event.key])]?.focus();
    else if (event.key === "Enter" || event.key === "ContextMenu") openMenu(event.target);
    else return;
    event.preventDefault();
  };
  const openMenu = useCallback((element) => {
    const text = current.current.texts.find((each) => each.row === Number(element.dataset.row));
    const at = element.querySelector(".bubble").getBoundingClientRect();
    if (text) setMenu({ text, at });
  }, []);

  const rows = texts ?? [];
  const stopRow = rows.some((text) => text.row === stop) ? stop : rows.at(-1)?.row;
  return html`<div class="texts-place">
    <div ref=${box} class="texts" onScroll=${onScroll} tabindex=${rows.length ? undefined : "0"} role="region" aria-busy=${texts ? undefined : "true"} aria-label=${t("texts.label", { name: contact.nickname || name })}>
      <ol ref=${inner} class="texts-inner" onKeyDown=${onKeyDown} onFocusIn=${(event) => event.target.dataset.row && setStop(Number(event.target.dataset.row))}>
        ${texts && !rows.length && !outgoing.length && contact.state === "accepted" && html`<li class="texts-empty">${t("texts.empty", { name: contact.nickname || name })}</li>`}
        ${groups.map(
          ({ text, newDay, first, last }) => html`<${Fragment} key=${text.row}>
            ${newDay && html`<li class="day"><span>${day(text.arrived_at)}</span></li>`}
            ${text.missing > 0 && html`<li class="gap">${n("texts.missing", text.missing)}</li>`}
            <${Bubble} text=${text} name=${name} isAccepted=${contact.state === "accepted"} first=${first} last=${last} isFound=${found === text.row} isStop=${text.row === stopRow} turn=${turn} onMenu=${openMenu} />
          <//>`,
        )}
        ${outgoing.map((each) => html`<${Storing} key=${each.nonce} text=${each.text} />`)}
      </ol>
    </div>
    ${(!atBottom || newer) &&
    html`<button type="button" class="newest" aria-label=${t("texts.newest")} title=${t("texts.newest")} onClick=${toNewest}>
      <${Icon} name="down" />${contact.unread > 0 && html`<span class="badge" aria-hidden="true">${contact.unread}</span>`}
    </button>`}
    ${menu && html`<${TextMenu} key=${menu.text.row} name=${name} contact=${contact} text=${menu.text} at=${menu.at} onClose=${() => setMenu(null)} />`}
  </div>`;
}

/** The height of all texts above this one. (The newest ones may have been let go meanwhile.) */
function heightAbove(view, row) {
  const tops = [view.querySelector("[data-row]"), view.querySelector(`[data-row="${row}"]`)];
  return tops[1] ? tops[1].getBoundingClientRect().top - tops[0].getBoundingClientRect().top : 0;
}

function isAbove(view, row, bottom) {
  const element = view.querySelector(`[data-row="${row}"]`);
  return element !== null && element.getBoundingClientRect().bottom <= bottom + NEAR_PX;
}
