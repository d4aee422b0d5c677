// A conversation's texts. Every text is a text node: nothing that a person wrote is ever parsed as HTML.
const { h } = Vue;
const NEAR_PX = 60;

export default {
  props: { items: Array, older: Boolean, newer: Boolean, empty: String, label: String, found: Number, bottom: Number },
  emits: ["older", "newer", "act", "seen"],
  data() {
    return { atBottom: true, menu: null };
  },
  watch: {
    bottom() {
      this.atBottom = true;
      this.$nextTick(this.toBottom);
    },
  },
  mounted() {
    document.addEventListener("visibilitychange", this.see);
    window.addEventListener("focus", this.see);
    this.sizes = new ResizeObserver(() => this.see());
    this.sizes.observe(this.$refs.box);
    this.toBottom();
    this.see();
  },
  unmounted() {
    document.removeEventListener("visibilitychange", this.see);
    window.removeEventListener("focus", this.see);
    this.sizes.disconnect();
  },
  beforeUpdate() {
    const box = this.$refs.box;
    this.before = box ? { height: box.scrollHeight, top: box.scrollTop, first: this.shownFirst } : null;
  },
  updated() {
    const box = this.$refs.box;
    const first = this.items.length ? this.items[0].row : 0;
    if (this.found && this.found !== this.shownFound) {
      this.shownFound = this.found;
      this.$el.querySelector(`[data-row="${this.found}"]`)?.scrollIntoView({ block: "center" });
    } else if (this.atBottom && !this.newer) {
      this.toBottom();
    } else if (this.before && this.before.first && first < this.before.first) {
      box.scrollTop = this.before.top + (box.scrollHeight - this.before.height);
    }
    this.shownFirst = first;
    this.see();
  },
  methods: {
    toBottom() {
      const box = this.$refs.box;
      if (box) box.scrollTop = box.scrollHeight;
    },
    onScroll() {
      const box = this.$refs.box;
      this.atBottom = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
      this.see();
    },
    see() {
      // Shown means: in a visible window, and scrolled to.
      if (document.visibilityState !== "visible" || !this.items.length || this.newer || !this.atBottom) return;
      if (!this.$refs.box?.clientHeight) return; // a narrow window shows the other pane
      const last = this.items[this.items.length - 1].row;
      if (last === this.seen) return;
      this.seen = last;
      this.$emit("seen", last);
    },
    act(kind, item) {
      this.menu = null;
      this.$emit("act", { kind, row: item.row, id: item.id });
    },
    menuOf(item) {
      const open = this.menu === item.row;
      return h("span", { class: "actions" }, [
        h(
          "button",
          {
            type: "button",
            class: "plain more",
            "aria-expanded": open ? "true" : "false",
            "aria-label": `Actions for: ${item.text.slice(0, 40)}`,
            onClick: () => (this.menu = open ? null : item.row),
          },
          "⋯",
        ),
        open
          ? h(
              "span",
              { class: "menu" },
              item.actions.map((action) =>
                h("button", { type: "button", onClick: () => this.act(action.kind, item) }, action.label),
              ),
            )
          : null,
      ]);
    },
    line(item) {
      const parts = [];
      if (item.day) parts.push(h("li", { key: `day-${item.row}`, class: "day" }, item.day));
      if (item.gap) parts.push(h("li", { key: `gap-${item.row}`, class: "gap" }, item.gap));
      parts.push(
        h(
          "li",
          {
            key: item.row,
            "data-row": item.row,
            class: ["text", item.out ? "is-mine" : "is-theirs", item.row === this.found ? "is-found" : ""],
          },
          [
            h("span", { class: "unseen" }, item.out ? "You: " : `${item.who}: `),
            h("p", { class: "said", dir: "auto" }, item.text),
            h("span", { class: "under" }, [
              h("time", { datetime: item.iso, title: item.title }, item.time),
              item.late ? h("span", { class: "late" }, item.late) : null,
              item.state ? h("span", { class: ["state", `state-${item.kind}`] }, item.state) : null,
              h("span", { class: "route" }, item.route),
              item.actions.length ? this.menuOf(item) : null,
            ]),
          ],
        ),
      );
      return parts;
    },
  },
  render() {
    const lines = this.items.flatMap((item) => this.line(item));
    return h("div", { class: "texts-box", ref: "box", tabindex: 0, role: "region", "aria-label": this.label, onScroll: this.onScroll }, [
      this.older
        ? h("button", { type: "button", class: "page", onClick: () => this.$emit("older") }, "Show older texts")
        : null,
      this.items.length ? h("ol", { class: "texts" }, lines) : h("p", { class: "empty" }, this.empty || ""),
      this.newer
        ? h("button", { type: "button", class: "page", onClick: () => this.$emit("newer") }, "Go to the newest text")
        : null,
    ]);
  },
};
