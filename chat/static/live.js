// What a screen reader reads aloud: new texts and changes. Not visible.
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
