// What this window knows, and all that it may ask. Components read `model.state` and call these methods.
import { keep, kept, ownTab } from "../base/kept.js";
import { t } from "../base/words.js";
import { Link } from "./link.js";
import { emptyLists, lineOf, withLine, withoutLine, withPage } from "./lists.js";
import { withMore, withText } from "./texts.js";
import { emptyTrays } from "./trays.js";

const HIDE_AFTER_MS = 60_000;
const TOAST_MS = 6_000;
const BEAT_EVERY_MS = 10_000; // a program that hangs leaves its socket open: it must answer something

function nothing() {
  return {
    home: null,
    connection: { state: "connecting", problem: null },
    warnings: { caught: [], doubted_since: null, unwitnessed_since: null, stalled_since: null, node_moved: false },
    totals: { unread: 0, requests: 0, archived: 0, refused: 0 },
    lists: emptyLists(),
    open: null,
    dialog: null,
    panel: false,
    toast: null,
  };
}

export class Model {
  constructor() {
    this.state = { ...nothing(), link: "connecting", limits: null, listsTurn: 0 };
    this.listeners = new Set();
    this.arrivals = new Set();
    this.sending = new Set();
    this.token = window.location.hash.slice(1);
    // The browser's history may keep the address, but the token in it is used up by then.
    if (this.token) window.history.replaceState(null, "", window.location.pathname);
    this.key = kept("key");
    this.tab = ownTab();
    this.reopen = "";
    this.link = new Link(
      () => ({ token: this.token, key: this.key, tab: this.tab }),
      (message) => this.hear(message),
      (state) => this.onLink(state),
    );
  }

  begin() {
    this.link.connect();
    window.setInterval(() => this.beat(), BEAT_EVERY_MS);
  }

  /** Asks something small. Without an answer until the next time, the program counts as not reached. */
  async beat() {
    if (this.beating) {
      if (this.state.link === "open") this.onLink("lost");
      return;
    }
    if (!this.link.isAdmitted) return;
    this.beating = true;
    await this.ask("list_contacts", { list: "archived", limit: 1 }).catch(() => {}); // a refusal is an answer, too
    this.beating = false;
    if (this.state.link !== "open" && this.link.isAdmitted) this.onLink("open");
  }

  set(changes) {
    this.state = { ...this.state, ...changes };
    for (const listener of this.listeners) listener();
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls `heard` with each `arrived`. */
  listenArrivals(heard) {
    this.arrivals.add(heard);
    return () => this.arrivals.delete(heard);
  }

  ask(type, fields) {
    return this.link.ask(type, fields);
  }

  // -- the connection --

  onLink(link) {
    window.clearTimeout(this.hiding);
    if (link === "lost") {
      this.hiding = window.setTimeout(() => this.set({ ...nothing(), link: "gone" }), HIDE_AFTER_MS);
      if (this.state.link === "gone") return;
    }
    if (link === "refused") keep("key", "");
    // What a program that has ended showed is not this window's to keep: the next one on this port may be another's.
    if (link === "ended" || link === "refused" || link === "full") {
      emptyTrays();
      this.set({ ...nothing(), link });
    } else this.set({ link });
    if (link === "open") this.readAnew();
  }

  readAnew() {
    const { open } = this.state;
    if (open) this.openConversation(open.name, null, true);
    for (const sending of this.sending) this.store(sending); // its nonce keeps it from being sent twice
  }

  hear(message) {
    const { lists, open } = this.state;
    switch (message.type) {
      case "admitted":
        [this.token, this.key, this.reopen] = ["", message.key, message.open_name];
        keep("key", message.key);
        this.set({ limits: message, lists: emptyLists() });
        break;
      case "home":
        this.set(message.screen === "main" ? { home: message } : { home: message, lists: emptyLists(), open: null });
        if (message.screen === "main" && this.reopen) {
          if (!this.state.open) this.openConversation(this.reopen);
          this.reopen = "";
        }
        break;
      case "connection":
        this.set({ connection: message });
        break;
      case "warnings":
        this.set({ warnings: message });
        break;
      case "totals":
        this.set({ totals: message });
        break;
      case "contact_changed":
        this.onLine(message.contact);
        break;
      case "contact_gone":
        emptyTrays(message.name);
        this.set({ lists: withoutLine(lists, message.name), open: open?.name === message.name ? null : open });
        break;
      case "lists_changed":
        this.set({ lists: emptyLists(), listsTurn: this.state.listsTurn + 1 });
        this.readAnew();
        break;
      case "text_changed":
        if (open?.name === message.name && open.texts) this.set({ open: withText(open, message.text) });
        break;
      case "texts_gone":
        this.onGone(message);
        break;
      case "arrived":
        for (const heard of this.arrivals) heard(message);
        break;
      case "draft_changed":
        if (open?.name === message.name) this.set({ open: { ...open, draft: message.text, draftRev: open.draftRev + 1 } });
        break;
      case "outgoing":
        this.onOutgoing(message);
        break;
    }
  }

  onLine(line) {
    const { lists, open } = this.state;
    this.set({
      lists: withLine(lists, line),
      open: open?.name === line.name ? { ...open, contact: line } : open,
    });
  }

  onGone({ name, rows }) {
    const { open } = this.state;
    if (open?.name !== name || !open.texts) return;
    if (rows === null) this.openConversation(name, null, true);
    else this.set({ open: { ...open, texts: open.texts.filter((text) => !rows.includes(text.row)) } });
  }

  onOutgoing(message) {
    const { open } = this.state;
    if (open?.name !== message.name || !open.texts) return;
    const others = open.outgoing.filter((each) => each.nonce !== message.nonce);
    if ([...this.sending].some((sending) => sending.nonce === message.nonce)) return; // the composer shows it
    this.set({ open: { ...open, outgoing: message.done || message.failed ? others : [...others, message] } });
  }

  // -- lists --

  async fetchList(list) {
    const { next, isFetched } = this.state.lists[list];
    if (isFetched && next === null) return;
    const page = await this.ask("list_contacts", { list, after: next });
    this.set({ lists: withPage(this.state.lists, list, page) });
  }

  lineOf(name) {
    return lineOf(this.state.lists, name);
  }

  // -- the open conversation --

  /** `isAgain`: what is shown is read again; the person does not turn to it, and the focus stays where it is. */
  async openConversation(name, around = null, isAgain = false) {
    const isSame = this.state.open?.name === name;
    const line = this.lineOf(name) ?? (isSame ? this.state.open.contact : null);
    const asked = { name };
    const visit = isSame && isAgain ? this.state.open.visit : asked;
    if (!isSame) this.set({ open: { name, contact: line, texts: null, outgoing: [], draft: "", draftRev: 0, found: null, visit } });
    else if (!isAgain) this.set({ open: { ...this.state.open, visit } });
    this.opening = asked;
    let page;
    try {
      page = await this.ask("open_conversation", { name, around });
    } catch (problem) {
      if (this.opening === asked && problem.code === "no_such_contact") this.set({ open: null });
      return;
    }
    if (this.opening !== asked) return; // another one was opened meanwhile
    const { draftRev = 0 } = this.state.open ?? {};
    const { contact, texts, older, newer, draft, outgoing } = page;
    this.set({
      open: { name, contact, texts, older, newer, draft, outgoing, draftRev: isSame ? draftRev : 1, found: around, turn: asked, visit },
    });
  }

  async more(isOlder) {
    const { open } = this.state;
    if (!open?.texts?.length || this.fetchingMore) return;
    this.fetchingMore = true;
    try {
      const end = isOlder ? { before: open.texts[0].row } : { after: open.texts.at(-1).row };
      const page = await this.ask("more_texts", { name: open.name, ...end });
      if (this.state.open?.name === open.name) this.set({ open: withMore(this.state.open, page, isOlder) });
    } catch (problem) {
      if (problem.code !== "closed") throw problem;
    } finally {
      this.fetchingMore = false;
    }
  }

  /** Stores a text, and sends it. The promise is kept when the text is on the disk, however often the window was cut off
      meanwhile; it fails with the problem. */
  send(name, text) {
    const nonce = window.crypto.randomUUID();
    return new Promise((resolve, reject) => {
      const sending = { name, text, nonce, resolve, reject };
      this.sending.add(sending);
      this.store(sending);
    });
  }

  async store(sending) {
    const { name, text, nonce } = sending;
    try {
      await this.ask("send", { name, nonce, text });
    } catch (problem) {
      if (problem.code === "closed" && !this.link.over) return; // once more when the program is reached: `readAnew`
      this.sending.delete(sending);
      sending.reject(problem);
      return;
    }
    this.sending.delete(sending);
    sending.resolve();
  }

  /** Whether this text is under way to this person. */
  isSending(name, text) {
    const { open } = this.state;
    const others = open?.name === name ? open.outgoing : [];
    return [...this.sending, ...others].some((each) => each.name === name && each.text === text);
  }

  closeConversation() {
    this.opening = null;
    this.set({ open: null });
    this.ask("close_conversation").catch(() => {});
  }

  // -- short messages over the page --

  /** Says what was done; `undo` takes it back while the message is shown. */
  say(text, undo = null, ms = TOAST_MS) {
    window.clearTimeout(this.saying);
    this.set({ toast: { text, undo } });
    this.saying = window.setTimeout(() => this.set({ toast: null }), ms);
  }

  /** Deletes texts, which come back if the user wants it. */
  async deleteTexts(name, rows) {
    const { undo } = await this.ask("delete", { name, rows });
    const back = () => this.ask("undo", { undo });
    this.say(rows === null ? t("done.deleted_all") : t("done.deleted"), back, this.state.limits.undo_s * 1000);
  }

  /** A change that another one takes back. */
  async change(text, type, fields, opposite) {
    await this.ask(type, fields);
    this.say(text, opposite && (() => this.ask(opposite.type ?? type, opposite.fields)));
  }
}
