// What a screen reader speaks when something comes. Not visible.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";

const LINES = 8; // several come at once; more could not be listened to

export function Live({ name }) {
  const [said, setSaid] = useState([]);
  useLayoutEffect(
    () =>
      model.listenArrivals((arrived) => {
        const line = model.lineOf(arrived.name);
        const who = line?.nickname || arrived.name;
        let words = t("live.text", { name: who });
        if (arrived.request) words = t("live.request");
        else if (arrived.name === name && line?.last) words = t("live.shown", { name: who, text: line.last.snippet });
        setSaid((before) => [...before, { key: `${arrived.name} ${arrived.row}`, words }].slice(-LINES));
      }),
    [name],
  );
  return html`<div class="unseen" role="log" aria-live="polite" aria-label=${t("live")}>
    ${said.map((line) => html`<p key=${line.key}>${line.words}</p>`)}
  </div>`;
}
