// What this program is, which node it uses, and what its words mean.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { full } from "../base/time.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Notice } from "../parts/notice.js";
import { useAction } from "../parts/use_action.js";

const KEYS = [
  ["keys.enter", "keys.enter_does"],
  ["keys.search", "keys.search_does"],
  ["keys.find", "keys.find_does"],
  ["keys.neighbour", "keys.neighbour_does"],
  ["keys.arrows", "keys.arrows_does"],
  ["keys.menu", "keys.menu_does"],
  ["keys.escape", "keys.escape_does"],
];
const MEANINGS = [
  ["state.waiting", "meaning.waiting"],
  ["state.accepted", "meaning.accepted"],
  ["state.delivered", "meaning.delivered"],
  ["trust.confirmed", "meaning.confirmed"],
  ["trust.verified", "meaning.verified"],
  ["trust.changed", "meaning.changed"],
  ["directory.shown", "directory.shown_means"],
  ["directory.not_witnessed", "directory.not_witnessed_means"],
  ["directory.promised", "directory.promised_means"],
  ["directory.not_shown", "directory.not_shown_means"],
];

export function Help() {
  return html`<h3>${t("help.keys")}</h3>
    <dl class="facts">${KEYS.map(([key, does]) => html`<div><dt><kbd>${t(key)}</kbd></dt><dd>${t(does)}</dd></div>`)}</dl>
    <h3>${t("help.words")}</h3>
    <dl class="facts">${MEANINGS.map(([word, means]) => html`<div><dt>${t(word)}</dt><dd>${t(means)}</dd></div>`)}</dl>`;
}

function witnessesText({ named, needed, signed, met_at }) {
  const wanted = t("about.witnesses_wanted", { needed, named });
  if (signed === null) return `${wanted} ${t("about.witnesses_none")}`;
  const last = met_at === null ? t("about.witnesses_never") : t("about.witnesses_last", { at: full(met_at) });
  return `${wanted} ${t("about.witnesses_signed", { signed })} ${last}`;
}

export function About() {
  const [about, setAbout] = useState(null);
  const [run, { problem }] = useAction();
  useLayoutEffect(() => {
    run(async () => setAbout(await model.ask("get_about")));
  }, []);
  if (!about) return html`<${Notice} kind="bad">${problem}<//>`;
  const rows = [
    ["about.version", about.version],
    ["about.name", about.name],
    ["about.key", about.identity_key],
    ["about.node", about.node],
    ...(about.witnesses ? [["about.witnesses", witnessesText(about.witnesses)]] : []),
    ["about.mixnet", about.emulated ? t("emulator.title") : about.mixnet],
    ["about.home", about.home],
  ];
  return html`<dl class="facts is-stacked">
      ${rows.map(([key, value]) => html`<div><dt>${t(key)}</dt><dd><bdi>${value}</bdi></dd></div>`)}
    </dl>
    <p><a href="/static/vendor/licences.txt" target="_blank" rel="noopener">${t("about.licences")}</a></p>`;
}
