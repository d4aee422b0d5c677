// Opens and closes a dialog of `main/dialogs.js`, by its name there.
import { model } from "../model/use.js";

export function show(which, more = {}) {
  model.set({ dialog: { which, ...more } });
}

export function hide() {
  model.set({ dialog: null });
}
