// Of a long list only the lines around what is seen are drawn; the rest is empty height. A change costs what is drawn.
import { useLayoutEffect, useRef, useState } from "../base/html.js";

const DRAWN = 120; // more than two of the highest screens
const STEP = 20; // the part moves by so many lines at once
const LINE_PX = 56; // until one was measured

/** `count` lines in a list of `ref`, which `scroller` scrolls: which of them to draw, and the height of the others. */
export function usePart(count, scroller) {
  const ref = useRef(null);
  const [first, setFirst] = useState(0);
  useLayoutEffect(() => {
    const view = scroller.current;
    if (count <= DRAWN || !view) return undefined;
    const look = () => {
      const { top } = ref.current.getBoundingClientRect();
      const middle = (view.getBoundingClientRect().top + view.clientHeight / 2 - top) / lineHeight(ref.current);
      setFirst(Math.floor((middle - DRAWN / 2) / STEP) * STEP);
    };
    look();
    view.addEventListener("scroll", look);
    return () => view.removeEventListener("scroll", look);
  }, [count]);
  const from = Math.max(0, Math.min(first, count - DRAWN));
  const to = Math.min(count, from + DRAWN);
  const height = ref.current ? lineHeight(ref.current) : LINE_PX;
  return { ref, from, to, style: { paddingTop: `${from * height}px`, paddingBottom: `${(count - to) * height}px` } };
}

function lineHeight(list) {
  return list.querySelector("li")?.offsetHeight || LINE_PX;
}
