// A labelled input field of one or more lines, with a hint or an error that a screen reader reads with it.
const { h } = Vue;

export default {
  props: {
    label: String,
    value: String,
    rev: Number,
    type: String,
    hint: String,
    error: String,
    good: String,
    autocomplete: String,
    lines: Number,
    focus: Number,
    disabled: Boolean,
    limit: Number,
  },
  emits: ["typed", "entered"],
  data() {
    return { local: this.value || "" };
  },
  watch: {
    rev() {
      this.local = this.value || "";
    },
    focus() {
      this.take();
    },
  },
  mounted() {
    if (this.focus) this.take();
  },
  methods: {
    take() {
      this.$nextTick(() => this.$refs.box?.focus());
    },
    onInput(event) {
      this.local = event.target.value;
      this.$emit("typed", this.local);
    },
    onKeydown(event) {
      if (event.key === "Enter" && !event.isComposing && (!this.lines || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.$emit("entered", this.local);
      }
    },
  },
  render() {
    const id = this.$attrs.id;
    const said = this.error || this.good || this.hint;
    const box = h(this.lines ? "textarea" : "input", {
      ref: "box",
      id: `${id}-box`,
      class: "field-box",
      type: this.lines ? undefined : this.type || "text",
      rows: this.lines || undefined,
      value: this.local,
      disabled: this.disabled,
      maxlength: this.limit || undefined,
      autocomplete: this.autocomplete || "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-invalid": this.error ? "true" : undefined,
      "aria-describedby": said ? `${id}-said` : undefined,
      onInput: this.onInput,
      onKeydown: this.onKeydown,
    });
    return h("div", { class: "field" }, [
      h("label", { for: `${id}-box`, class: "field-label" }, this.label),
      box,
      h(
        "p",
        {
          id: `${id}-said`,
          class: ["field-said", this.error ? "is-error" : this.good ? "is-good" : ""],
          role: "status",
        },
        said || "",
      ),
    ]);
  },
};
