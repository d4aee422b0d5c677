// By person: files that were chosen and are not sent yet. Another conversation may be opened meanwhile. They are kept nowhere else, since a
// browser would store them unencrypted; so it asks before it leaves a page that has some.
import { useState } from "../base/html.js";

const trays = new Map();

window.addEventListener("beforeunload", (event) => {
  if (trays.size) event.preventDefault();
});

function put(name, files) {
  if (files.length) trays.set(name, files);
  else trays.delete(name);
}

/** Lets go of the files for `name`, or for everyone. */
export function emptyTrays(name) {
  if (name === undefined) trays.clear();
  else trays.delete(name);
}

/** The files for `name`, and what changes them: also when their conversation is not the open one any more. */
export function useTray(name) {
  const [files, setFiles] = useState(trays.get(name) ?? []);
  const change = (changed) => {
    put(name, changed(trays.get(name) ?? []));
    setFiles(trays.get(name) ?? []);
  };
  return [files, change];
}
