// A QR code, drawn from its rows of "0" and "1"; dark on light in both themes, with four modules of white around it.
import { html, useMemo } from "../base/html.js";

const QUIET = 4;

export function QrCode({ rows, label }) {
  const path = useMemo(
    () => rows.flatMap((row, y) => [...row].map((dot, x) => (dot === "1" ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ""))).join(""),
    [rows],
  );
  const size = rows.length + 2 * QUIET;
  return html`<svg class="qr" viewBox=${`0 0 ${size} ${size}`} role="img" aria-label=${label} shape-rendering="crispEdges">
    <path d=${path} />
  </svg>`;
}
