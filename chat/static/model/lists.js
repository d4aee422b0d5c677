// The lists of people: pages of lines that are fetched as they are needed, and lines that are pushed.
const NAMES = ["contacts", "archived", "requests", "refused"];

export function emptyLists() {
  return Object.fromEntries(NAMES.map((name) => [name, { lines: [], next: null, isFetched: false }]));
}

function before(a, b) {
  if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
  if (a.order !== b.order) return b.order - a.order;
  return a.name < b.name ? -1 : 1;
}

/** The lists with one more page. */
export function withPage(lists, name, page) {
  const known = new Set(page.contacts.map((line) => line.name));
  const lines = [...lists[name].lines.filter((line) => !known.has(line.name)), ...page.contacts].sort(before);
  return { ...lists, [name]: { lines, next: page.next, isFetched: true } };
}

/** The lists with a line that is new or has changed; it may have moved from one list to another. */
export function withLine(lists, line) {
  const changed = { ...lists };
  for (const name of NAMES) {
    const had = lists[name].lines.some((each) => each.name === line.name);
    if (!had && name !== line.list) continue;
    const lines = lists[name].lines.filter((each) => each.name !== line.name);
    if (name === line.list) {
      // By halves: lists have thousands of lines, and each arriving text changes one.
      let [low, high] = [0, lines.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (before(lines[middle], line) < 0) low = middle + 1;
        else high = middle;
      }
      // Below the last line that was fetched, others may stand between: that page brings this line too.
      if (low < lines.length || lists[name].next === null) lines.splice(low, 0, line);
    }
    changed[name] = { ...lists[name], lines };
  }
  return changed;
}

export function withoutLine(lists, gone) {
  const changed = { ...lists };
  for (const name of NAMES) {
    if (lists[name].lines.some((line) => line.name === gone)) {
      changed[name] = { ...lists[name], lines: lists[name].lines.filter((line) => line.name !== gone) };
    }
  }
  return changed;
}

export function lineOf(lists, wanted) {
  for (const name of NAMES) {
    const found = lists[name].lines.find((line) => line.name === wanted);
    if (found) return found;
  }
  return null;
}
