// What a screen reader says aloud: new texts and what became of things. Seen by nobody else.
const { h } = Vue;

export default {
  props: { said: String, rev: Number },
  render() {
    return h("div", { class: "unseen", role: "log", "aria-live": "polite", "aria-label": "News" }, [
      h("p", { key: this.rev }, this.said || ""),
    ]);
  },
};
