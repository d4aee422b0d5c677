// The focus belongs to a line, not to an element: it stays when the lists are read again, or a line moves to another list.
import { useLayoutEffect } from "../base/html.js";

/** `place` holds lines; the value of `data-stop` says which each is. */
export function useKeptFocus(place) {
  useLayoutEffect(() => {
    const box = place.current;
    let held = null;
    const isNowhere = () => !document.activeElement || document.activeElement === document.body;
    const onFocus = ({ target }) => (held = box.contains(target) ? target.closest("[data-stop]") : null);
    // A press beside everything takes the focus away. So does the end of an element, but that is no wish of the user's.
    const onBlur = () =>
      queueMicrotask(() => {
        if (held?.isConnected && document.hasFocus() && isNowhere()) held = null;
      });
    const changes = new MutationObserver(() => {
      if (!held || held.isConnected || !isNowhere()) return;
      box.querySelector(`[data-stop="${CSS.escape(held.dataset.stop)}"]`)?.focus({ preventScroll: true });
    });
    changes.observe(box, { childList: true, subtree: true });
    document.addEventListener("focusin", onFocus);
    document.addEventListener("focusout", onBlur);
    return () => {
      changes.disconnect();
      document.removeEventListener("focusin", onFocus);
      document.removeEventListener("focusout", onBlur);
    };
  }, []);
}
