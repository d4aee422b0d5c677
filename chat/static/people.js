// The list on the left: contacts, requests, or the texts that a search found. Arrow keys move in it.
const { h } = Vue;

export default {
  props: { items: Array, active: String, label: String, empty: String, focus: Number },
  emits: ["pick"],
  watch: {
    focus() {
      this.$nextTick(() => this.$el.querySelector("button")?.focus());
    },
  },
  methods: {
    onKeydown(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || event.altKey) return;
      const buttons = [...this.$el.querySelectorAll("button")];
      const at = buttons.indexOf(document.activeElement);
      if (at < 0) return;
      event.preventDefault();
      buttons[(at + step + buttons.length) % buttons.length].focus();
    },
    pick(key) {
      // Block typing while the previous conversation is still shown: the text would go to the wrong person, or be lost.
      const right = document.querySelector(".right");
      if (right && key !== this.active) right.inert = true;
      this.$emit("pick", key);
    },
    line(one) {
      return h("li", { key: one.key }, [
        h(
          "button",
          {
            type: "button",
            class: ["person", one.key === this.active ? "is-active" : ""],
            "aria-current": one.key === this.active ? "true" : undefined,
            onClick: () => this.pick(one.key),
          },
          [
            h("span", { class: "person-top" }, [
              h("bdi", { class: "person-name" }, one.name),
              one.time ? h("span", { class: "person-time" }, one.time) : null,
            ]),
            h("span", { class: "person-under" }, [
              h("bdi", { class: "person-text", dir: "auto" }, one.text),
              one.unread ? h("span", { class: "count" }, [one.unread, h("span", { class: "unseen" }, " unread")]) : null,
            ]),
            one.mark ? h("span", { class: ["mark", `mark-${one.kind}`] }, one.mark) : null,
          ],
        ),
      ]);
    },
  },
  render() {
    if (!this.items.length) return h("p", { class: "empty" }, this.empty || "");
    return h(
      "ul",
      { class: "people", "aria-label": this.label, onKeydown: this.onKeydown },
      this.items.map((one) => this.line(one)),
    );
  },
};
