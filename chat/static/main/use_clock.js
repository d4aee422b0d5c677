// Draws the page again when another day begins, or this machine gets another time zone.
import { useEffect, useState } from "../base/html.js";
import { watchClock } from "../base/time.js";

/** A number that rises each time. */
export function useClock() {
  const [turn, setTurn] = useState(0);
  useEffect(() => watchClock(() => setTurn((last) => last + 1)), []);
  return turn;
}
