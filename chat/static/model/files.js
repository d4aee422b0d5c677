// Files go to the program and come from it by HTTP, with this window's key (`chat/file_door.py`).
import { problemText } from "../base/problems.js";
import { t } from "../base/words.js";
import { Problem } from "./link.js";
import { model } from "./use.js";

const SAVED_WITHIN_MS = 60_000; // a browser may ask where, first

async function fetched(path, fields, more = {}) {
  const query = new URLSearchParams(fields);
  let answer;
  try {
    answer = await fetch(`${path}?${query}`, { cache: "no-store", headers: { authorization: `Bearer ${model.key}` }, ...more });
  } catch {
    throw new Problem("closed");
  }
  if (!answer.ok) throw new Problem("closed");
  if (answer.headers.get("content-type") !== "application/json") return answer;
  const { code, data } = await answer.json();
  if (code) throw new Problem(code, data);
  return answer;
}

/** Sends a file; kept when it is on the program's disk. `asItIs`: a picture keeps what its camera wrote into it. */
export async function sendFile(name, file, asItIs) {
  await fetched("/file", { name, called: file.name, as_it_is: asItIs ? "1" : "0" }, { method: "POST", body: file });
}

/** A file's bytes, or, as a picture, what the program has drawn from them. */
export async function fetchFile(name, text, asPicture) {
  const fields = { name, id: text.message_id, mine: text.out ? "1" : "0" };
  return (await fetched(asPicture ? "/picture" : "/file", fields)).blob();
}

/** Hands bytes to the browser, which saves them under this name. */
export function saveAs(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address), SAVED_WITHIN_MS);
}

async function told(work) {
  try {
    await work();
  } catch (problem) {
    model.say(problemText(problem));
  }
}

export function saveFile(name, text) {
  return told(async () => saveAs(await fetchFile(name, text, false), text.text));
}

export function cancelFile(name, text) {
  return told(async () => {
    await model.ask("cancel_file", { name, message_id: text.message_id });
    model.say(t("done.file_cancelled"));
  });
}
