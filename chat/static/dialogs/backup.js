// A backup of contacts and texts: written into a new folder, or read from one.
import { html, useLayoutEffect, useState } from "../base/html.js";
import { n, t } from "../base/words.js";
import { model } from "../model/use.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Notice } from "../parts/notice.js";
import { NO_PASSPHRASE, NewPassphrase, Passphrase, takePassphrase } from "../parts/passphrase.js";
import { useAction } from "../parts/use_action.js";

const OF_FOLDER = ["exists", "not_absolute", "not_a_backup", "not_readable"];

export function Backup() {
  return html`<p>${t("backup.lead")}</p>
    <${Write} />
    <hr />
    <${Read} />`;
}

function Write() {
  const [folder, setFolder] = useState(null); // until there is one to propose: what someone types must not meet it
  const [value, setValue] = useState(NO_PASSPHRASE);
  const [written, setWritten] = useState("");
  const [run, { busy, problem, code }] = useAction();
  useLayoutEffect(() => {
    model.ask("get_about").then((about) => setFolder(about.backup_folder), () => setFolder(""));
  }, []);
  const write = async (event) => {
    event.preventDefault();
    setWritten("");
    const passphrase = takePassphrase(value, setValue);
    if (passphrase === null) return;
    run(async () => {
      setWritten((await model.ask("export_backup", { folder: folder.trim(), passphrase })).folder);
      setValue(NO_PASSPHRASE);
    });
  };
  if (folder === null) return null;
  const isOfFolder = OF_FOLDER.includes(code);
  return html`<form onSubmit=${write}>
    <h3>${t("backup.write")}</h3>
    <${Field} label=${t("backup.folder")} hint=${t("backup.folder_hint")} value=${folder} onText=${setFolder} error=${isOfFolder ? problem : ""} />
    <${NewPassphrase} label=${t("backup.passphrase")} value=${value} onChange=${setValue} />
    <div class="row is-end"><${Button} kind="main" submit busy=${busy} disabled=${!folder.trim()}>${t("backup.write")}<//></div>
    <${Notice} kind="bad">${!isOfFolder && problem}<//>
    <${Notice} kind="good">${written && t("backup.written", { folder: written })}<//>
  </form>`;
}

function Read() {
  const [folder, setFolder] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [found, setFound] = useState(null);
  const [run, { busy, problem, code }] = useAction();
  const read = (event) => {
    event.preventDefault();
    setFound(null);
    run(async () => {
      setFound(await model.ask("import_backup", { folder: folder.trim(), passphrase }));
      setPassphrase("");
    });
  };
  const isOfFolder = OF_FOLDER.includes(code);
  const isWrong = code === "passphrase_wrong";
  const words = found && t("backup.restored", { people: n("backup.people", found.contacts), texts: n("backup.texts", found.texts) });
  return html`<form onSubmit=${read}>
    <h3>${t("backup.read")}</h3>
    <${Field} label=${t("backup.from")} hint=${t("backup.from_hint")} value=${folder} onText=${setFolder} error=${isOfFolder ? problem : ""} />
    <${Passphrase} label=${t("backup.its_passphrase")} value=${passphrase} onText=${setPassphrase} error=${isWrong ? problem : ""} autocomplete="off" />
    <div class="row is-end"><${Button} submit busy=${busy} disabled=${!folder.trim() || !passphrase}>${t("backup.read")}<//></div>
    <${Notice} kind="bad">${!isOfFolder && !isWrong && problem}<//>
    <${Notice} kind="good">${words}<//>
  </form>`;
}
