// A person in a list: who, whether verified, the last line, and what was not read yet.
import { html, useMemo } from "../base/html.js";
import { short } from "../base/time.js";
import { n, t } from "../base/words.js";
import { model } from "../model/use.js";
import { Avatar } from "../parts/avatar.js";
import { Icon } from "../parts/icon.js";
import { Tick } from "../parts/tick.js";
import { Highlighted } from "../parts/highlighted.js";

const OFFERS = { offer_received: "line.offers", offered: "" };

export function TrustMark({ trust }) {
  if (trust === "confirmed") return null;
  const isVerified = trust === "verified";
  return html`<span class=${`mark-of-trust is-${trust}`} title=${t(isVerified ? "trust.verified" : "trust.changed")}>
    <${Icon} name=${isVerified ? "shield_check" : "shield_alert"} small />
    <span class="unseen">${t(isVerified ? "trust.verified" : "trust.changed")}</span>
  </span>`;
}

function lastLine(line) {
  if (line.has_draft) return html`<span class="is-draft">${t("line.draft")}</span>`;
  if (line.trust === "changed") return html`<span class="is-bad">${t("trust.changed")}</span>`;
  if (OFFERS[line.route]) return html`<span class="is-accent">${t(OFFERS[line.route])}</span>`;
  if (!line.last) return html`<span>${t(line.state === "pending" ? "line.wants" : "line.nothing")}</span>`;
  return html`${line.last.out && html`<${Tick} state=${line.last.state} />`}<span dir="auto">${line.last.snippet}</span>`;
}

/** `words`: what a search looks for, to show where it is. `isStop`: Tab stops here; arrows reach the others. */
export function PersonLine({ line, isOpen, isStop = true, words = "", turn }) {
  return useMemo(() => {
    const shown = line.nickname || line.name;
    return html`<li>
      <button
        type="button"
        data-stop=${line.name}
        data-name=${line.name}
        class="line"
        tabindex=${isStop ? 0 : -1}
        aria-current=${isOpen ? "true" : undefined}
        onClick=${() => model.openConversation(line.name)}
      >
        <${Avatar} name=${shown} identity=${line.key} />
        <span class="line-words">
          <span class="line-first">
            <bdi class="line-name"><${Highlighted} text=${shown} words=${words} /></bdi>
            ${words && line.nickname && html`<bdi class="soft small"><${Highlighted} text=${line.name} words=${words} /></bdi>`}
            <${TrustMark} trust=${line.trust} />
            ${line.muted && html`<${Icon} name="bell_off" small class="soft" />`}
            ${line.pinned && html`<${Icon} name="pin" small class="soft" />`}
            <span class="spread"></span>
            ${line.last && html`<span class="line-time">${short(line.last.at)}</span>`}
          </span>
          <span class="line-second">
            <span class="line-last">${lastLine(line)}</span>
            ${line.unread > 0 &&
            html`<span class=${`badge ${line.muted ? "is-quiet" : ""}`} title=${n("line.unread", line.unread)}>
              <span aria-hidden="true">${line.unread > 99 ? "99+" : line.unread}</span>
              <span class="unseen">${n("line.unread", line.unread)}</span>
            </span>`}
          </span>
        </span>
      </button>
    </li>`;
  }, [line, isOpen, isStop, words, turn]);
}
