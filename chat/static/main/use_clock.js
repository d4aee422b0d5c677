// Draws the page again when another day begins, this machine gets another time zone, or the words another language.
import { useLayoutEffect, useState } from "../base/html.js";
import { watchClock } from "../base/time.js";
import { listenWords } from "../base/words.js";

/** A number that rises each time. */
export function useClock() {
  const [turn, setTurn] = useState(0);
  useLayoutEffect(() => {
    const changed = () => setTurn((last) => last + 1);
    const stops = [watchClock(changed), listenWords(changed)];
    return () => stops.forEach((stop) => stop());
  }, []);
  return turn;
}
