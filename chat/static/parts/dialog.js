// The browser's own modal dialog: it keeps the focus inside and gives it back. Escape and a click outside close it.
import { html, useId, useLayoutEffect, useRef } from "../base/html.js";
import { t } from "../base/words.js";
import { IconButton } from "./button.js";

function isOutside(box, event) {
  const { left, right, top, bottom } = box.getBoundingClientRect();
  return event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom;
}

export function Dialog({ title, onClose, children, wide = false }) {
  const box = useRef(null);
  const pressed = useRef(false);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = box.current;
    const before = document.activeElement;
    dialog.showModal();
    dialog.querySelector(".dialog-body input, .dialog-body textarea, .dialog-body button")?.focus();
    return () => {
      dialog.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  return html`<dialog
    ref=${box}
    class=${`dialog ${wide ? "is-wide" : ""}`}
    aria-labelledby=${id}
    onCancel=${(event) => {
      event.preventDefault();
      onClose();
    }}
    onPointerDown=${(event) => (pressed.current = event.target === box.current && isOutside(box.current, event))}
    onClick=${(event) => pressed.current && event.target === box.current && isOutside(box.current, event) && onClose()}
  >
    <header class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <${IconButton} icon="close" label=${t("close")} onClick=${onClose} />
    </header>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}

/** The row of buttons at the end of a dialog: the main one last. */
export function DialogButtons({ children }) {
  return html`<div class="dialog-buttons">${children}</div>`;
}
