// A contact's colour, from the identity key: another key under a name mostly has another one.
const HUES = 12;

/** A class name; `key` is in hexadecimal digits. */
export function hueOf(key) {
  const value = Number.parseInt(key.slice(0, 8), 16);
  return `hue-${Number.isNaN(value) ? 0 : value % HUES}`;
}

/** One or two letters: of a nickname's words, else the beginning of the name. */
export function initialsOf(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? [...words[0]][0] + [...words[1]][0] : [...(words[0] ?? "")].slice(0, 2).join("");
  return letters.toUpperCase();
}
