// Sends the address's token, keeps the key that comes back, and handles what belongs to the window: the theme,
// the keyboard, which pane a narrow window shows, and the title with its count of unread texts.
const { h } = Vue;
const KEY = "usernym-key";
const THEME = "usernym-theme";

export default {
  props: { grant: String, refused: Boolean, pane: String, unread: Number, theme: String, title: String },
  emits: ["offer", "shortcut"],
  mounted() {
    const token = window.location.hash.slice(1);
    if (token) {
      // Remove the token from the address bar. The browser's history may keep it, but it is used up by then.
      window.history.replaceState(null, "", window.location.pathname);
    }
    const theme = window.localStorage.getItem(THEME);
    if (theme) document.documentElement.dataset.theme = theme;
    window.addEventListener("keydown", this.onKey);
    this.$emit("offer", { token, key: window.localStorage.getItem(KEY) || "" });
    this.settle();
  },
  unmounted() {
    window.removeEventListener("keydown", this.onKey);
  },
  updated() {
    this.settle();
  },
  methods: {
    settle() {
      if (this.grant) window.localStorage.setItem(KEY, this.grant);
      if (this.refused) window.localStorage.removeItem(KEY);
      if (this.theme) {
        document.documentElement.dataset.theme = this.theme;
        window.localStorage.setItem(THEME, this.theme);
      }
      document.documentElement.dataset.pane = this.pane || "people";
      document.title = (this.unread ? `(${this.unread}) ` : "") + (this.title || "usernym");
    },
    onKey(event) {
      const with_control = event.ctrlKey || event.metaKey;
      let name = null;
      if (with_control && !event.altKey && event.key.toLowerCase() === "k") name = "search";
      else if (event.altKey && !with_control && event.key.toLowerCase() === "n") name = "new";
      else if (event.altKey && !with_control && event.key === "ArrowDown") name = "next";
      else if (event.altKey && !with_control && event.key === "ArrowUp") name = "previous";
      if (name === null) return;
      event.preventDefault();
      const right = document.querySelector(".right");
      if (right && (name === "next" || name === "previous")) right.inert = true; // as when a person is chosen
      this.$emit("shortcut", name);
    },
  },
  render() {
    return h("div", { hidden: true });
  },
};
