// What every component imports: Preact's hooks, and `html`, which makes elements and text nodes, never HTML. `useEffect` is left out:
// it runs after the browser has painted, so that a key could come before what is already seen listens to it, or has the focus.
import { h, render, Fragment } from "../vendor/preact.js";
import { useCallback, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export { Fragment, render, useCallback, useId, useLayoutEffect, useMemo, useRef, useState };
