// Every word that a person reads comes from here: the page's one catalogue, `words/LANGUAGE.json`.
let words = {};
let plurals = new Intl.PluralRules("en");
let language = "en";

export async function loadWords(url, tag) {
  const answer = await fetch(url, { cache: "no-cache" });
  words = await answer.json();
  language = tag;
  plurals = new Intl.PluralRules(tag);
  document.documentElement.lang = tag;
}

/** The language of the words, for dates and numbers. */
export function wordsLanguage() {
  return language;
}

/** The sentence of this key, with `{name}` replaced by `values.name`. */
export function t(key, values = {}) {
  const sentence = words[key];
  if (sentence === undefined) throw new Error(`no words for ${key}`);
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The sentence for this many: `key.one`, `key.other`, or what the language has. `{count}` is the number. */
export function n(key, count, values = {}) {
  const form = `${key}.${plurals.select(count)}`;
  return t(form in words ? form : `${key}.other`, { count, ...values });
}

/** Whether there are words for this key: a newer program may name what this page does not know. */
export function hasWords(key) {
  return key in words;
}
