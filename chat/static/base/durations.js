// After what time texts disappear, in words.
import { n, t } from "./words.js";

const HOUR_S = 3600;
const DAY_S = 86_400;
/** Seconds; null: never. */
export const DURATIONS = [null, 300, HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S];
export const UNITS = { minutes: 60, hours: HOUR_S, days: DAY_S };

export function durationText(seconds) {
  if (seconds === null) return t("duration.never");
  if (seconds % DAY_S === 0) return n("duration.days", seconds / DAY_S);
  if (seconds % HOUR_S === 0) return n("duration.hours", seconds / HOUR_S);
  return n("duration.minutes", Math.round(seconds / 60));
}
