// The browser's own modal dialog: it keeps the focus inside, closes by Escape, and gives the focus back.
const { h } = Vue;

export default {
  props: { open: Boolean, label: String, closable: { type: Boolean, default: true } },
  emits: ["closed"],
  mounted() {
    this.settle();
  },
  updated() {
    this.settle();
  },
  methods: {
    settle() {
      const dialog = this.$refs.dialog;
      if (this.open && !dialog.open) dialog.showModal();
      if (!this.open && dialog.open) dialog.close();
    },
    onCancel(event) {
      if (!this.closable) event.preventDefault();
    },
  },
  render() {
    const id = this.$attrs.id;
    const heading = h("header", { class: "dialog-head" }, [
      h("h2", { id: `${id}-label` }, this.label),
      this.closable
        ? h(
            "button",
            { type: "button", class: "plain", "aria-label": "Close", onClick: () => this.$refs.dialog.close() },
            "✕",
          )
        : null,
    ]);
    return h(
      "dialog",
      {
        ref: "dialog",
        class: "dialog",
        "aria-labelledby": `${id}-label`,
        onClose: () => this.$emit("closed"),
        onCancel: this.onCancel,
      },
      this.open ? [heading, h("div", { class: "dialog-body" }, this.$slots.default?.())] : [],
    );
  },
};
