// The page begins here: the words, the colours, the connection; then the screen that is due.
import "./base/theme.js";
import { html, render } from "./base/html.js";
import { beginWords, listenWords, wordsLanguage } from "./base/words.js";
import { Closed, Stopped } from "./entrance/closed.js";
import { Network } from "./entrance/network.js";
import { New } from "./entrance/new.js";
import { Unlock } from "./entrance/unlock.js";
import { Unregistered } from "./entrance/unregistered.js";
import { model, useModel } from "./model/use.js";
import { Toast } from "./parts/toast.js";
import { Main } from "./main/main.js";

const SCREENS = { network: Network, new: New, locked: Unlock, unregistered: Unregistered, main: Main, stopped: Stopped };

function Page() {
  const state = useModel();
  const { home, link } = state;
  const Screen = home && SCREENS[home.screen];
  return html`${Screen ? html`<${Screen} key=${home.screen} home=${home} state=${state} />` : html`<${Closed} key=${link} link=${link} />`}
    <${Toast} toast=${state.toast} />`;
}

await beginWords();
listenWords(() => model.set({ language: wordsLanguage() }));
model.begin();
render(html`<${Page} />`, document.getElementById("page"));
