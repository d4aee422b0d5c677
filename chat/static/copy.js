// A button that copies a text to the clipboard, and confirms it.
const { h } = Vue;

export default {
  props: { text: String, label: String },
  data() {
    return { said: "" };
  },
  methods: {
    async copy() {
      try {
        await navigator.clipboard.writeText(this.text);
        this.said = "Copied";
      } catch {
        this.said = "Not possible here: select and copy it";
      }
      window.setTimeout(() => (this.said = ""), 3000);
    },
  },
  render() {
    return h("span", { class: "copy" }, [
      h("button", { type: "button", onClick: this.copy }, this.label),
      h("span", { role: "status" }, this.said),
    ]);
  },
};
