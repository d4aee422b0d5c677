// Sizes of files for people: two digits are enough to know whether it will take long.
import { wordsLanguage } from "./words.js";

const STEP = 1000;
const UNITS = ["byte", "kilobyte", "megabyte"];

export function bytesText(bytes) {
  const at = bytes < STEP ? 0 : bytes < STEP * STEP ? 1 : 2;
  const format = { style: "unit", unit: UNITS[at], unitDisplay: at ? "short" : "long", maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(wordsLanguage(), format).format(bytes / STEP ** at);
}
