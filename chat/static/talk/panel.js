// All about a contact, and all that can be done: beside the conversation, or over it in a narrow window.
import { html, useLayoutEffect, useRef, useState } from "../base/html.js";
import { durationText } from "../base/durations.js";
import { problemText } from "../base/problems.js";
import { t } from "../base/words.js";
import { show } from "../main/show.js";
import { model } from "../model/use.js";
import { Avatar } from "../parts/avatar.js";
import { Button, IconButton } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Notice } from "../parts/notice.js";
import { decide } from "./notes.js";

const TRUST = { verified: "trust.verified", confirmed: "trust.confirmed", changed: "trust.changed" };
const DIRECTORY = {
  shown: ["directory.shown", "directory.shown_means"],
  not_witnessed: ["directory.not_witnessed", "directory.not_witnessed_means"],
  promised: ["directory.promised", "directory.promised_means"],
  not_shown: ["directory.not_shown", "directory.not_shown_means"],
};
const ROUTES = {
  none: "route.none",
  offered: "route.offered",
  offer_received: "route.offer_received",
  active: "route.active",
  ended_by_me: "route.ended_by_me",
  ended_by_peer: "route.ended_by_peer",
};
const SWITCHED = {
  muted: ["done.muted", "done.unmuted"],
  pinned: ["done.pinned", "done.unpinned"],
  archived: ["done.archived", "done.unarchived"],
};

export function Panel({ contact }) {
  const { name } = contact;
  const shown = contact.nickname || name;
  const box = useRef(null);
  const [naming, setNaming] = useState(false);
  const [problem, setProblem] = useState(null);
  const isContact = contact.state === "accepted";
  const close = () => model.set({ panel: false });
  useLayoutEffect(() => {
    const panel = box.current;
    const before = document.activeElement;
    panel.focus();
    return () => {
      const active = document.activeElement;
      if (before?.isConnected && (active === document.body || panel.contains(active))) before.focus();
    };
  }, []);
  const run = async (work) => {
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(error);
    }
  };
  const change = (what, value) => {
    const words = t(SWITCHED[what][value ? 0 : 1], { name: shown });
    run(() => model.change(words, "set_personal", { name, [what]: value }, { fields: { name, [what]: !value } }));
  };
  return html`<div class="panel-veil" onClick=${close}></div>
    <aside ref=${box} class="panel" tabindex="-1" aria-label=${t("panel.label", { name: shown })}>
      <header class="bar"><h2>${t("panel.title")}</h2><span class="spread"></span><${IconButton} icon="close" label=${t("close")} onClick=${close} /></header>
      <div class="panel-body">
        <div class="panel-who">
          <${Avatar} name=${shown} identity=${contact.key} size="large" />
          <bdi class="panel-name">${shown}</bdi>
          ${contact.nickname && html`<bdi class="soft">${name}</bdi>`}
        </div>
        <${Notice} kind="bad">${problem && problemText(problem)}<//>
        <div class="rows">
          <${Row} icon=${contact.trust === "verified" ? "shield_check" : "shield"} title=${t("panel.safety")} value=${t(TRUST[contact.trust])} onClick=${() => show("safety")} />
          <${Fact} icon="globe" words=${DIRECTORY[contact.directory]} />
          ${isContact && html`<${Row} icon="direct" title=${t("panel.route")} value=${t(ROUTES[contact.route])} onClick=${() => show("route")} />`}
          <${Row} icon="flame" title=${t("panel.disappearing")} value=${durationText(contact.disappears_after)} onClick=${() => show("disappearing")} />
          ${naming
            ? html`<${Nickname} contact=${contact} run=${run} onDone=${() => setNaming(false)} />`
            : html`<${Row} icon="pencil" title=${t("panel.nickname")} value=${contact.nickname || t("panel.no_nickname")} onClick=${() => setNaming(true)} />`}
        </div>
        ${isContact &&
        html`<div class="rows">
          <${Switch} icon="bell_off" title=${t("panel.mute")} on=${contact.muted} onChange=${(on) => change("muted", on)} />
          <${Switch} icon="pin" title=${t("panel.pin")} on=${contact.pinned} onChange=${(on) => change("pinned", on)} />
          <${Switch} icon="archive" title=${t("panel.archive")} on=${contact.list === "archived"} onChange=${(on) => change("archived", on)} />
        </div>`}
        <div class="rows is-danger">
          <${Row} icon="trash" title=${t("panel.delete_texts")} onClick=${() => show("delete")} />
          ${contact.state === "blocked"
            ? html`<${Row} icon="block" title=${t("panel.unblock")} onClick=${() => run(() => decide(contact, "accept"))} />`
            : html`<${Row} icon="block" title=${t("panel.block", { name: shown })} onClick=${() => run(() => decide(contact, "block"))} />`}
          <${Row} icon="close" title=${t("panel.remove", { name: shown })} onClick=${() => show("remove")} />
        </div>
      </div>
    </aside>`;
}

function Row({ icon, title, value, onClick }) {
  return html`<button type="button" class="panel-row" onClick=${onClick}>
    <${Icon} name=${icon} />
    <span class="panel-row-words"><span>${title}</span>${value && html`<span class="soft">${value}</span>`}</span>
    ${value && html`<${Icon} name="chevron" small class="soft" />`}
  </button>`;
}

function Fact({ icon, words: [title, meaning] }) {
  return html`<p class="panel-fact">
    <${Icon} name=${icon} />
    <span class="panel-row-words"><span>${t(title)}</span><span class="soft">${t(meaning)}</span></span>
  </p>`;
}

function Switch({ icon, title, on, onChange }) {
  return html`<button type="button" class="panel-row" role="switch" aria-checked=${on ? "true" : "false"} onClick=${() => onChange(!on)}>
    <${Icon} name=${icon} /><span class="panel-row-words">${title}</span><span class="switch" aria-hidden="true"></span>
  </button>`;
}

function Nickname({ contact, run, onDone }) {
  const [typed, setTyped] = useState(contact.nickname);
  const submit = async (event) => {
    event.preventDefault();
    await run(() => model.ask("set_personal", { name: contact.name, nickname: typed.trim() }));
    onDone();
  };
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    onDone();
  };
  return html`<form class="panel-form" onSubmit=${submit} onKeyDown=${onKeyDown}>
    <${Field} label=${t("panel.nickname")} hint=${t("panel.nickname_hint")} value=${typed} onText=${setTyped} maxlength="64" focus />
    <div class="row is-end"><${Button} onClick=${onDone}>${t("cancel")}<//><${Button} kind="main" submit>${t("save")}<//></div>
  </form>`;
}
