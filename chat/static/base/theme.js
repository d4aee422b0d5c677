// Light, dark, or as the system has it.
import { keep, kept } from "./kept.js";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
let chosen = kept("theme");

function show() {
  document.documentElement.dataset.theme = chosen || (dark.matches ? "dark" : "light");
}

dark.addEventListener("change", show);
show();

/** "light", "dark", or "" for the system's. */
export function theme() {
  return chosen;
}

export function chooseTheme(name) {
  chosen = name;
  keep("theme", name);
  show();
}
