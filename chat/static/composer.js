// The box in which a text is written. It is cleared only when the client has the text on disk; one press never sends twice.
const { h } = Vue;
const DRAFT_EVERY_MS = 250;

export default {
  props: { label: String, draft: String, focus: Number, blocked: String, pending: Object, done: String, failed: String, error: String, limit: Number },
  emits: ["draft", "send"],
  data() {
    const text = this.draft || "";
    return { text, under_way: this.pending?.text === text ? this.pending.nonce : null };
  },
  watch: {
    focus() {
      this.release();
      this.$nextTick(() => this.$refs.box?.focus());
    },
    pending(sent) {
      // This text is being sent already: before a reload of this window, or from another window.
      if (!this.under_way && sent.text === this.text) this.under_way = sent.nonce;
      this.settle();
    },
    done() {
      this.settle();
    },
    failed() {
      this.settle();
    },
  },
  mounted() {
    window.addEventListener("pagehide", this.keep);
    this.release();
    this.settle();
    this.fit();
    if (this.focus) this.$nextTick(() => this.$refs.box?.focus()); // asked for before it was drawn
  },
  unmounted() {
    window.removeEventListener("pagehide", this.keep);
    this.keep();
  },
  computed: {
    bytes() {
      return new TextEncoder().encode(this.text).length;
    },
  },
  methods: {
    release() {
      // The chosen conversation is shown now.
      this.$el.closest(".right").inert = false;
    },
    settle() {
      if (!this.under_way) return;
      if (this.under_way === this.done) {
        this.under_way = null;
        this.text = "";
        this.$nextTick(this.fit);
      } else if (this.under_way === this.failed) {
        this.under_way = null;
      }
    },
    fit() {
      const box = this.$refs.box;
      if (!box) return;
      box.style.height = "auto";
      box.style.height = `${Math.min(box.scrollHeight + 2, 200)}px`;
    },
    onInput(event) {
      this.text = event.target.value;
      this.fit();
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(this.keep, DRAFT_EVERY_MS);
    },
    keep() {
      // Without delay, since the conversation or the window may be closed next.
      if (!this.timer) return;
      window.clearTimeout(this.timer);
      this.timer = null;
      this.$emit("draft", this.text);
    },
    onKeydown(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) this.keep();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.send();
      }
    },
    send() {
      if (this.under_way || this.blocked || !this.text.trim() || this.bytes > this.limit) return;
      window.clearTimeout(this.timer);
      this.timer = null;
      this.under_way = window.crypto.randomUUID();
      // Half a character (an unpaired surrogate of a broken paste) can't be sent.
      this.$emit("send", { nonce: this.under_way, text: this.text.toWellFormed?.() ?? this.text });
    },
  },
  render() {
    const id = this.$attrs.id;
    const left = this.limit - this.bytes;
    let said = this.blocked || this.error || "";
    if (!said && left < 0) said = `This text is too long by ${-left} bytes.`;
    else if (!said && left < 4000) said = `${left} bytes are left.`;
    return h("form", { class: "composer", onSubmit: (event) => (event.preventDefault(), this.send()) }, [
      h("label", { for: `${id}-box`, class: "unseen" }, this.label),
      h("textarea", {
        id: `${id}-box`,
        ref: "box",
        rows: 1,
        autocomplete: "off",
        spellcheck: "false", // some browsers ask a service
        translate: "no",
        dir: "auto",
        value: this.text,
        placeholder: this.label,
        readonly: !!this.under_way,
        disabled: !!this.blocked,
        "aria-describedby": `${id}-said`,
        onInput: this.onInput,
        onKeydown: this.onKeydown,
        onBlur: this.keep,
      }),
      h("button", { type: "submit", class: "main", disabled: !!this.under_way || !!this.blocked || left < 0 }, "Send"),
      h("p", { id: `${id}-said`, class: ["composer-said", this.error || left < 0 ? "is-error" : ""], role: "status" }, said),
    ]);
  },
};
