// What says that something came while the person looks elsewhere: the tab's title, a notification, a sound. None of them
// shows a name or a text: a screen may be seen by others, and a notification is kept by the system.
import { useLayoutEffect } from "../base/html.js";
import { keep, kept } from "../base/kept.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";

const TONE_HZ = 660;
const TONE_S = 0.18;
const LOUDNESS = 0.08;

/** "on", or "" : off, as at first. */
export const choices = {
  notifications: () => kept("notifications"),
  sound: () => kept("sound"),
};

/** Whether notifications are possible here: "granted", "denied", "default", or "" where the browser has none. */
export function permission() {
  return window.Notification?.permission ?? "";
}

export async function chooseNotifications(on) {
  const allowed = on && (await window.Notification?.requestPermission?.()) === "granted";
  keep("notifications", allowed ? "on" : "");
  return allowed;
}

export function chooseSound(on) {
  keep("sound", on ? "on" : "");
  if (on) playSound();
}

export function playSound() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = TONE_HZ;
  volume.gain.setValueAtTime(LOUDNESS, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + TONE_S);
  tone.connect(volume).connect(audio.destination);
  tone.onended = () => audio.close();
  tone.start();
  tone.stop(audio.currentTime + TONE_S);
}

function notify(words) {
  const notification = new window.Notification(t("app"), {
    body: words,
    tag: "usernym", // a later one takes its place
    icon: "/static/mark.svg",
  });
  notification.onclick = () => {
    window.focus();
    notification.close();
  };
}

/** `turn` rises when the words are those of another language. */
export function useNews(totals, turn) {
  const count = totals.unread + totals.requests;
  useLayoutEffect(() => {
    document.title = count ? t("title.count", { count }) : t("app");
    return () => void (document.title = t("app"));
  }, [count, turn]);
  useLayoutEffect(
    () =>
      model.listenArrivals(({ muted, request, file }) => {
        if (muted || document.hasFocus()) return;
        if (choices.notifications() && permission() === "granted") notify(t(request ? "news.request" : file ? "news.file" : "news.text"));
        if (choices.sound()) playSound();
      }),
    [],
  );
}
