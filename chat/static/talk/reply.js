// An answer to one text: the composer hears it, quotes it, and takes the focus.
const listeners = new Set();

export function reply(text) {
  for (const listener of listeners) listener(text);
}

export function listenReplies(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
