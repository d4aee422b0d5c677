// The settings: a list of pages, each opened in the same dialog.
import { html, useState } from "../base/html.js";
import { chooseTheme, theme } from "../base/theme.js";
import { chooseLanguage, chosenLanguage, languages, t } from "../base/words.js";
import { chooseNotifications, chooseSound, choices, permission } from "../main/news.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { Notice } from "../parts/notice.js";
import { DeleteAccount, ReplaceIdentity } from "./account.js";
import { About, Help } from "./about.js";
import { Backup } from "./backup.js";
import { ChangePassphrase } from "./passphrase.js";

const PAGES = [
  { id: "look", icon: "eye", title: "settings.look", Page: Look },
  { id: "language", icon: "globe", title: "settings.language", Page: Language },
  { id: "news", icon: "bell", title: "settings.news", Page: News },
  { id: "passphrase", icon: "shield", title: "settings.passphrase", Page: ChangePassphrase },
  { id: "backup", icon: "archive", title: "settings.backup", Page: Backup },
  { id: "help", icon: "help", title: "settings.help", Page: Help },
  { id: "about", icon: "info", title: "settings.about", Page: About },
  { id: "replace", icon: "shield_alert", title: "settings.replace", Page: ReplaceIdentity, isDanger: true },
  { id: "delete", icon: "trash", title: "settings.delete", Page: DeleteAccount, isDanger: true },
];

export function Settings({ home, onClose }) {
  const [page, setPage] = useState(null);
  if (page) {
    const { Page, title } = page;
    return html`<${Dialog} key=${page.id} title=${t(title)} onClose=${onClose} wide=${page.id === "help"}>
      <button type="button" class="list-back" onClick=${() => setPage(null)}><${Icon} name="back" small />${t("settings.title")}</button>
      <${Page} home=${home} onClose=${onClose} />
    <//>`;
  }
  const rows = (isDanger) => html`<div class=${`rows ${isDanger ? "is-danger" : ""}`}>
    ${PAGES.filter((each) => Boolean(each.isDanger) === isDanger).map(
      (each) => html`<button type="button" class="panel-row" onClick=${() => setPage(each)}>
        <${Icon} name=${each.icon} /><span class="panel-row-words">${t(each.title)}</span><${Icon} name="chevron" small class="soft" />
      </button>`,
    )}
  </div>`;
  return html`<${Dialog} key="list" title=${t("settings.title")} onClose=${onClose}>${rows(false)} ${rows(true)}<//>`;
}

function Look() {
  const [chosen, setChosen] = useState(theme());
  const choose = (name) => () => {
    chooseTheme(name);
    setChosen(name);
  };
  const choice = (name, words) => html`<label class="choice">
    <input type="radio" name="theme" checked=${chosen === name} onChange=${choose(name)} /><span>${t(words)}</span>
  </label>`;
  return html`<fieldset class="choices">
    <legend>${t("settings.look")}</legend>
    ${choice("", "look.system")} ${choice("light", "look.light")} ${choice("dark", "look.dark")}
  </fieldset>`;
}

function Language() {
  const choice = (tag, words) => html`<label class="choice">
    <input type="radio" name="language" checked=${chosenLanguage() === tag} onChange=${() => chooseLanguage(tag)} />
    <span>${words}</span>
  </label>`;
  return html`<fieldset class="choices">
    <legend>${t("settings.language")}</legend>
    ${choice("", t("language.browser"))}
    ${Object.entries(languages).map(([tag, name]) => choice(tag, html`<bdi lang=${tag}>${name}</bdi>`))}
  </fieldset>`;
}

function News() {
  const [notifications, setNotifications] = useState(Boolean(choices.notifications()));
  const [sound, setSound] = useState(Boolean(choices.sound()));
  const [denied, setDenied] = useState(permission() === "denied" || permission() === "");
  const choose = async (on) => {
    setNotifications(await chooseNotifications(on));
    setDenied(on && permission() !== "granted");
  };
  return html`<p>${t("news.lead")}</p>
    <label class="choice">
      <input type="checkbox" checked=${notifications} onChange=${(event) => choose(event.target.checked)} />
      <span><b>${t("news.notifications")}</b><small>${t("news.notifications_hint")}</small></span>
    </label>
    <${Notice} kind="warn">${denied && t("news.denied")}<//>
    <label class="choice">
      <input
        type="checkbox"
        checked=${sound}
        onChange=${(event) => {
          chooseSound(event.target.checked);
          setSound(event.target.checked);
        }}
      />
      <span><b>${t("news.sound")}</b></span>
    </label>`;
}
