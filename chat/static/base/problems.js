// Why something failed, in words: `problem.CODE` of the catalogue, with the data that came with it.
import { clock, full } from "./time.js";
import { hasWords, n, t } from "./words.js";

export function problemText(problem) {
  const { code = "internal", data = {} } = problem ?? {};
  const values = { ...data, kind: data.kind ?? problem?.name ?? "" };
  if (data.until) values.until = full(data.until);
  if (data.seconds) values.time = clock(Date.now() / 1000 + data.seconds);
  const key = `problem.${code}`;
  if (code === "no_answer") return t("problem.no_answer");
  if (hasWords(`${key}.other`)) return n(key, data.least ?? 0, values);
  return t(hasWords(key) ? key : "problem.internal", values);
}
