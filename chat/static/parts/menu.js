// A menu at a place of the page. Arrows move in it; Escape, Tab and a click outside close it.
import { html, useLayoutEffect, useRef } from "../base/html.js";
import { Icon } from "./icon.js";

const EDGE_PX = 8;

/** `items`: `{label, icon, danger, act}`; each has another icon. `at`: the rectangle that it belongs to. */
export function Menu({ label, items, at, onClose }) {
  const box = useRef(null);
  const close = useRef(onClose);
  close.current = onClose;
  useLayoutEffect(() => {
    const menu = box.current;
    const place = () => {
      const { width, height } = menu.getBoundingClientRect();
      const isLeft = at.left + at.width / 2 < window.innerWidth / 2;
      const left = Math.min(Math.max(EDGE_PX, isLeft ? at.left : at.right - width), window.innerWidth - width - EDGE_PX);
      const below = at.bottom + height + EDGE_PX < window.innerHeight;
      menu.style.left = `${Math.max(EDGE_PX, left)}px`;
      menu.style.top = `${Math.max(EDGE_PX, below ? at.bottom : at.top - height)}px`;
    };
    place();
    window.addEventListener("resize", place);
    return () => window.removeEventListener("resize", place);
  }, [at]);
  useLayoutEffect(() => {
    const menu = box.current;
    const before = document.activeElement;
    box.current.querySelector("[role=menuitem]")?.focus();
    const outside = (event) => !box.current?.contains(event.target) && close.current();
    document.addEventListener("pointerdown", outside, true);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      const active = document.activeElement;
      const lost = !active || active === document.body || menu.contains(active);
      if (before?.isConnected && lost) before.focus();
    };
  }, []);
  const onKeyDown = (event) => {
    const all = [...box.current.querySelectorAll("[role=menuitem]")];
    const here = all.indexOf(document.activeElement);
    const places = { ArrowDown: here + 1, ArrowUp: here - 1 + all.length, Home: 0, End: all.length - 1 };
    if (event.key === "Escape" || event.key === "Tab") onClose();
    else if (event.key in places) all[places[event.key] % all.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div ref=${box} class="menu" role="menu" aria-label=${label} onKeyDown=${onKeyDown}>
    ${items.map(
      (item) => html`<button
        key=${item.icon}
        type="button"
        role="menuitem"
        tabindex="-1"
        class=${item.danger ? "is-danger" : ""}
        onClick=${() => {
          onClose();
          item.act();
        }}
      >
        <${Icon} name=${item.icon} /><span>${item.label}</span>
      </button>`,
    )}
  </div>`;
}
