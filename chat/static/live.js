// What a screen reader says aloud: new texts and what became of things. Seen by nobody else.
const { h } = Vue;

export default {
  props: { said: Array },
  render() {
    return h(
      "div",
      { class: "unseen", role: "log", "aria-live": "polite", "aria-label": "News" },
      (this.said || []).map((line) => h("p", { key: line.key }, line.text)),
    );
  },
};
