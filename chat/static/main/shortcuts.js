// Keys that work everywhere on the main screen.
import { useLayoutEffect, useRef } from "../base/html.js";

function named(event) {
  if (event.key === "Escape") return event.defaultPrevented || event.isComposing ? null : "close";
  const control = event.ctrlKey || event.metaKey;
  if (control && !event.altKey && event.key.toLowerCase() === "k") return "search";
  if (!event.altKey || control) return null;
  return { n: "find", ArrowDown: "next", ArrowUp: "previous" }[event.key] ?? null;
}

/** `acts` by name; null: not possible now. Escape is first for a dialog, a menu, and what can be cleared where the focus is. */
export function useShortcuts(acts) {
  const current = useRef(acts);
  current.current = acts;
  useLayoutEffect(() => {
    const onKey = (event) => {
      const act = current.current[named(event)];
      if (!act || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

/** The name above or below this one, in the order in which people are shown. */
export function neighbour(lists, name, step) {
  const names = [...lists.requests.lines, ...lists.contacts.lines].map((line) => line.name);
  const here = names.indexOf(name);
  if (here < 0) return names.at(step > 0 ? 0 : -1);
  return names[here + step];
}
