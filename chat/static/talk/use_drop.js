// Files that are dropped anywhere on the window go to the open conversation; the browser must not open them instead.
import { useLayoutEffect, useRef, useState } from "../base/html.js";

/** Whether files are over the window; `take` hears those that are dropped, null: none can be taken now. */
export function useDrop(take) {
  const [isOver, setOver] = useState(false);
  const current = useRef(take);
  current.current = take;
  useLayoutEffect(() => {
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const over = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = current.current ? "copy" : "none";
      setOver(current.current !== null);
    };
    const leave = (event) => event.relatedTarget === null && setOver(false);
    const drop = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      current.current?.(event.dataTransfer.files);
    };
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, []);
  return isOver;
}
