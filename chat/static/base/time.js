// Moments in words, in the time zone that this machine has now: it may change while the page is open.
import { t, wordsLanguage } from "./words.js";

const LOOK_EVERY_MS = 30_000;
const LATEST_S = 8_640_000_000_000; // of a Date; a peer may send any number
const STYLES = {
  clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { weekday: "long", day: "numeric", month: "long" },
  dated: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
  short: { day: "numeric", month: "short" },
  year: { day: "numeric", month: "short", year: "numeric" },
  full: { dateStyle: "long", timeStyle: "medium" },
};
let made = "";
let formats = {};

function date(unix) {
  return Number.isFinite(unix) && Math.abs(unix) < LATEST_S ? new Date(unix * 1000) : null;
}

function format(style, when) {
  const now = `${new Intl.DateTimeFormat().resolvedOptions().timeZone} ${wordsLanguage()}`;
  if (now !== made) [made, formats] = [now, {}];
  formats[style] ??= new Intl.DateTimeFormat(wordsLanguage(), STYLES[style]);
  return formats[style].format(when);
}

/** A number that is the same for all moments of one day here. */
export function dayOf(unix) {
  const when = date(unix);
  return when ? when.getFullYear() * 10_000 + when.getMonth() * 100 + when.getDate() : 0;
}

function daysAgo(when) {
  const midnight = (of) => Date.UTC(of.getFullYear(), of.getMonth(), of.getDate());
  return Math.round((midnight(new Date()) - midnight(when)) / 86_400_000);
}

export function clock(unix) {
  const when = date(unix);
  return when ? format("clock", when) : t("time.unknown");
}

/** "Today", "Yesterday", or the date. */
export function day(unix) {
  const when = date(unix);
  if (!when) return t("time.unknown");
  const ago = daysAgo(when);
  if (ago === 0) return t("time.today");
  if (ago === 1) return t("time.yesterday");
  return format(when.getFullYear() === new Date().getFullYear() ? "day" : "dated", when);
}

/** For a list: the time today, else the day. */
export function short(unix) {
  const when = date(unix);
  if (!when) return "";
  const ago = daysAgo(when);
  if (ago === 0) return format("clock", when);
  if (ago === 1) return t("time.yesterday");
  return format(when.getFullYear() === new Date().getFullYear() ? "short" : "year", when);
}

/** Day and time in full. */
export function full(unix) {
  const when = date(unix);
  return when ? format("full", when) : t("time.unknown");
}

export function iso(unix) {
  return date(unix)?.toISOString() ?? "";
}

/** Calls `changed` when another day begins or the machine gets another time zone. Returns a function that stops it. */
export function watchClock(changed) {
  const now = () => `${dayOf(Date.now() / 1000)} ${new Intl.DateTimeFormat().resolvedOptions().timeZone}`;
  let last = now();
  const look = () => {
    if (now() === last) return;
    last = now();
    changed();
  };
  const timer = window.setInterval(look, LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("focus", look);
  return () => {
    window.clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
    window.removeEventListener("focus", look);
  };
}
