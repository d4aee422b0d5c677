// Keys that work everywhere on the main screen.
import { useEffect, useRef } from "../base/html.js";

function named(event) {
  const control = event.ctrlKey || event.metaKey;
  if (control && !event.altKey && event.key.toLowerCase() === "k") return "search";
  if (!event.altKey || control) return null;
  return { n: "find", ArrowDown: "next", ArrowUp: "previous" }[event.key] ?? null;
}

export function useShortcuts(acts) {
  const current = useRef(acts);
  current.current = acts;
  useEffect(() => {
    const onKey = (event) => {
      const name = named(event);
      if (name === null || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      current.current[name]();
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
