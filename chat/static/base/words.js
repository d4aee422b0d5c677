// Every word that a person reads comes from here: the catalogues `words/LANGUAGE.json`. What one lacks stands there in English.
import { keep, kept } from "./kept.js";

const ENGLISH = "en";
/** By language tag: what the language calls itself. */
export const languages = JSON.parse(document.querySelector("meta[name=languages]").content);
const listeners = new Set();
let catalogues = {};
let words = {};
let english = {};
let language = ENGLISH;
let plurals = new Intl.PluralRules(language);
let chosen = kept("language");
let turn = 0;

const base = (tag) => tag.toLowerCase().split("-")[0];

/** The chosen language, or the first of the browser's that is there. */
function wanted() {
  const tags = Object.keys(languages);
  if (tags.includes(chosen)) return chosen;
  for (const asked of navigator.languages ?? []) {
    const same = tags.find((tag) => tag.toLowerCase() === asked.toLowerCase());
    const found = same ?? tags.find((tag) => base(tag) === base(asked));
    if (found) return found;
  }
  return ENGLISH;
}

async function catalogue(tag) {
  catalogues[tag] ??= await (await fetch(new URL(`../words/${tag}.json`, import.meta.url), { cache: "no-cache" })).json();
  return catalogues[tag];
}

async function show() {
  const here = (turn += 1);
  const tag = wanted();
  const [own, first] = await Promise.all([catalogue(tag), catalogue(ENGLISH)]);
  if (here !== turn) return; // another one was chosen meanwhile
  [words, english, language, plurals] = [own, first, tag, new Intl.PluralRules(tag)];
  Object.assign(document.documentElement, { lang: tag, dir: t("direction") });
  for (const listener of listeners) listener();
}

/** Waits until there are words. */
export async function beginWords() {
  await show();
  window.addEventListener("languagechange", () => show().catch(() => {})); // without the program the old words stay
}

/** The tag that the user chose, or "": as the browser has it. */
export function chosenLanguage() {
  return chosen;
}

export async function chooseLanguage(tag) {
  chosen = tag;
  keep("language", tag);
  await show();
}

/** Calls `changed` when the words are those of another language. Returns a function that stops it. */
export function listenWords(changed) {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

/** The language of the words, for dates and numbers. */
export function wordsLanguage() {
  return language;
}

function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The sentence of this key, with `{name}` replaced by `values.name`. */
export function t(key, values = {}) {
  const sentence = words[key] ?? english[key];
  if (sentence === undefined) throw new Error(`no words for ${key}`);
  return filled(sentence, values);
}

/** The sentence for this many: `key.one`, `key.other`, or what the language has. `{count}` is the number. */
export function n(key, count, values = {}) {
  const own = words[`${key}.${plurals.select(count)}`] ?? words[`${key}.other`];
  if (own !== undefined) return filled(own, { count, ...values });
  return t(`${key}.${count === 1 ? "one" : "other"}`, { count, ...values });
}

/** Whether there are words for this key: a newer program may name what this page does not know. */
export function hasWords(key) {
  return key in words || key in english;
}
