// The one websocket to the program (`chat/wire.py` is its contract): requests that are answered once, and pushes.
const AGAIN_MS = [300, 1000, 2000, 5000];
const SLOW = 4409;
const REFUSED = 4403;
const TOO_MANY = 4429;

/** Why a request failed: `code` and `data` are for the sentence. */
export class Problem extends Error {
  constructor(code, data = {}) {
    super(code);
    this.code = code;
    this.data = data;
  }
}

/** `heard(message)` hears each push; `changed(state)` hears "connecting", "open", "lost", "refused", "full", "ended". */
export class Link {
  constructor(hello, heard, changed) {
    this.hello = hello;
    this.heard = heard;
    this.changed = changed;
    this.waiting = new Map();
    this.last = 0;
    this.tries = 0;
    this.over = false;
  }

  connect() {
    const socket = new WebSocket(`ws://${window.location.host}/wire`);
    this.socket = socket;
    this.isAdmitted = false;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ...this.hello() }));
    socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    socket.onclose = (event) => this.end(event.code);
  }

  hear(message) {
    if (message.type === "admitted") {
      this.isAdmitted = true;
      this.tries = 0;
      this.heard(message);
      this.changed("open");
      return;
    }
    if (message.type === "not_admitted") this.stop("refused");
    else if (message.type === "ended") this.stop("ended");
    const request = message.id === undefined ? undefined : this.waiting.get(message.id);
    if (!request) {
      this.heard(message);
      return;
    }
    this.waiting.delete(message.id);
    if (message.type === "failed") request.reject(new Problem(message.problem.code, message.problem.data));
    else request.resolve(message);
  }

  stop(why) {
    this.over = true;
    this.changed(why);
  }

  end(code) {
    this.isAdmitted = false;
    for (const request of this.waiting.values()) request.reject(new Problem("closed"));
    this.waiting.clear();
    if (this.over) return;
    if (code === REFUSED) return this.stop("refused");
    if (code === TOO_MANY) return this.stop("full");
    if (code !== SLOW) this.changed("lost");
    const pause = code === SLOW ? 0 : AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)];
    this.tries += 1;
    window.setTimeout(() => this.connect(), pause);
  }

  /** A socket may never finish closing: the other side has to agree. Nothing more is expected of it. */
  leave() {
    this.socket.onmessage = this.socket.onclose = null;
    this.end();
  }

  /** A promise of the answer; it fails with a `Problem`. */
  ask(type, fields = {}) {
    if (this.isAdmitted && this.socket.readyState !== WebSocket.OPEN) this.leave();
    if (!this.isAdmitted) return Promise.reject(new Problem("closed"));
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ type, id, ...fields }));
    });
  }
}
