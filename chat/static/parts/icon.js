// The page's own icons: lines on a grid of 24, all of one weight. They say nothing to a screen reader; labels do.
import { html } from "../base/html.js";

const SHAPES = {
  add: ["M12 5v14", "M5 12h14"],
  archive: ["M4 5h16v4H4z", "M6 9v10h12V9", "M10 13h4"],
  attach: ["M19 11.5l-7.5 7.5a4.6 4.6 0 0 1-6.5-6.5L12.5 5a3 3 0 0 1 4.3 4.3L9.5 16.5a1.4 1.4 0 0 1-2-2l6.5-6.5"],
  back: ["M15 5l-7 7 7 7"],
  bell: ["M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15z", "M10.5 21h3"],
  bell_off: ["M6 17V11a6 6 0 0 1 .8-3", "M9.5 5.6A6 6 0 0 1 18 11v3.5", "M16 18.5H4.5L6 17", "M10.5 21h3", "M4 4l16 16"],
  block: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M6.2 6.2l11.6 11.6"],
  camera: ["M4 8h4l1.5-2.5h5L16 8h4v11H4z", "M12 10.2a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  checks: ["M1.5 12.5L6 17l9-9.5", "M11.5 15.5L13 17l9.5-9.5"],
  chevron: ["M9 6l6 6-6 6"],
  clock: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v4.5l3 2"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  copy: ["M9 9h10v11H9z", "M5 15V4h10"],
  direct: ["M5 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z", "M19 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z", "M8 12h8"],
  down: ["M12 5v14", "M6 13l6 6 6-6"],
  download: ["M12 4v11", "M7 10.5l5 5 5-5", "M5 20h14"],
  eye: ["M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z", "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"],
  eye_off: ["M9.5 6A9 9 0 0 1 12 5.5C18 5.5 21.5 12 21.5 12a16 16 0 0 1-2.3 3", "M6.3 7.3A15 15 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4.5-1.2", "M4 4l16 16"],
  failed: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v5", "M12 16v.2"],
  file: ["M6 3.5h8l4 4v13H6z", "M14 3.5v4h4"],
  flame: ["M9 3h6", "M12 3v3", "M12 6a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15z", "M12 9.5v4l2.5 1.5"],
  globe: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M3.5 12h17", "M12 3.5c-5 5-5 12 0 17", "M12 3.5c5 5 5 12 0 17"],
  help: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8", "M12 16.5v.2"],
  info: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M12 11v5.5", "M12 7.8v.2"],
  link: ["M10 14a4 4 0 0 0 5.7 0l3.3-3.3a4 4 0 0 0-5.7-5.7L12 6.3", "M14 10a4 4 0 0 0-5.7 0L5 13.3A4 4 0 0 0 10.7 19l1.3-1.3"],
  more: ["M5.5 12h.01", "M12 12h.01", "M18.5 12h.01"],
  pencil: ["M5 19l1-4L16.5 4.5l3 3L9 18z", "M14 7l3 3"],
  person: ["M12 4.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M4.5 20c.8-3.6 3.7-5.5 7.5-5.5s6.7 1.9 7.5 5.5"],
  pin: ["M9 4h6l-.7 6 3.2 3.5H6.5L9.7 10z", "M12 13.5V20"],
  print: ["M7 9V4h10v5", "M7 17H4V9h16v8h-3", "M7 14h10v6H7z"],
  qr: ["M4 4h6v6H4z", "M14 4h6v6h-6z", "M4 14h6v6H4z", "M14 14h2v2", "M20 14v6h-6v-2"],
  reply: ["M9 6l-5 5 5 5", "M4 11h9a6 6 0 0 1 6 6v1"],
  search: ["M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12z", "M15 15l5 5"],
  send: ["M4.5 12L4 4.5l16.5 7.5L4 19.5z", "M4.5 12H12"],
  settings: ["M4 7h9", "M17 7h3", "M15 5v4", "M4 12h3", "M11 12h9", "M9 10v4", "M4 17h7", "M15 17h5", "M13 15v4"],
  shield: ["M12 3.5l7 2.5v5.5c0 4.5-2.8 7.5-7 9-4.2-1.5-7-4.5-7-9V6z"],
  shield_alert: ["M12 3.5l7 2.5v5.5c0 4.5-2.8 7.5-7 9-4.2-1.5-7-4.5-7-9V6z", "M12 8v4.5", "M12 15.5v.2"],
  shield_check: ["M12 3.5l7 2.5v5.5c0 4.5-2.8 7.5-7 9-4.2-1.5-7-4.5-7-9V6z", "M8.8 12l2.3 2.3 4.2-4.5"],
  trash: ["M5 7h14", "M9 7V4.5h6V7", "M7 7l.8 13h8.4L17 7"],
};

const TURNED = ["back", "chevron", "reply", "send"]; // where words run from right to left, what points does so, too

/** `small`: in a line of small text. */
export function Icon({ name, small = false, class: more = "" }) {
  return html`<svg class=${`icon ${small ? "is-small" : ""} ${TURNED.includes(name) ? "is-turned" : ""} ${more}`} viewBox="0 0 24 24" aria-hidden="true">
    ${SHAPES[name].map((shape) => html`<path d=${shape} />`)}
  </svg>`;
}
