// What this browser keeps for the page: its key, and choices about how it looks. Some browsers are set to keep nothing.
const PREFIX = "usernym-";

/** Whether the browser keeps anything for this page. Without it a reload needs a new address. */
export function canKeep() {
  try {
    window.localStorage.setItem(`${PREFIX}try`, "1");
    window.localStorage.removeItem(`${PREFIX}try`);
    return true;
  } catch {
    return false;
  }
}

export function kept(name) {
  try {
    return window.localStorage.getItem(PREFIX + name) ?? "";
  } catch {
    return "";
  }
}

export function keep(name, value) {
  try {
    if (value) window.localStorage.setItem(PREFIX + name, value);
    else window.localStorage.removeItem(PREFIX + name);
  } catch {
    // this window has it until it is closed
  }
}

/** A name for this tab, which is the same when it is loaded again. */
export function ownTab() {
  try {
    const tab = window.sessionStorage.getItem(`${PREFIX}tab`) || window.crypto.randomUUID();
    window.sessionStorage.setItem(`${PREFIX}tab`, tab);
    return tab;
  } catch {
    return "";
  }
}
