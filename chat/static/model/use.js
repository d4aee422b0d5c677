// The model for components: one for the window. `useModel()` draws the component again when anything has changed.
import { useLayoutEffect, useState } from "../base/html.js";
import { Model } from "./model.js";

export const model = new Model();

export function useModel() {
  const [state, setState] = useState(model.state);
  useLayoutEffect(() => {
    setState(model.state); // it may have changed since the first drawing
    return model.listen(() => setState(model.state));
  }, []);
  return state;
}
