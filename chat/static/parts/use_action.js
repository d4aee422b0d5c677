// Something that takes time and may fail: `busy` meanwhile, `problem` in words after.
import { useLayoutEffect, useRef, useState } from "../base/html.js";
import { problemText } from "../base/problems.js";

/** `[run, {busy, problem, clear}]`; `run(work)` is true when it went well, and does nothing while it is busy. */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const state = useRef({ busy: false, here: true });
  useLayoutEffect(() => () => void (state.current.here = false), []);
  async function run(work) {
    if (state.current.busy) return false;
    state.current.busy = true;
    setBusy(true);
    setProblem(null);
    try {
      await work();
      return true;
    } catch (error) {
      if (state.current.here) setProblem(error);
      return false;
    } finally {
      state.current.busy = false;
      if (state.current.here) setBusy(false);
    }
  }
  return [run, { busy, code: problem?.code ?? "", problem: problem && problemText(problem), clear: () => setProblem(null) }];
}
