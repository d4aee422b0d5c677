// The main screen: people on the left, a conversation on the right; a narrow window shows one of the two.
import { html, useLayoutEffect } from "../base/html.js";
import { t } from "../base/words.js";
import { model } from "../model/use.js";
import { Empty } from "../talk/empty.js";
import { Talk } from "../talk/talk.js";
import { DialogPlace } from "./dialogs.js";
import { Live } from "./live.js";
import { useNews } from "./news.js";
import { People } from "./people.js";
import { show } from "./show.js";
import { neighbour, useShortcuts } from "./shortcuts.js";
import { Top } from "./top.js";
import { Warnings } from "./warnings.js";
import { useClock } from "./use_clock.js";

export function Main({ home, state }) {
  const { lists, open, totals, dialog, panel } = state;
  const turn = useClock();
  useNews(totals, turn);
  useLayoutEffect(() => {
    for (const list of ["requests", "contacts"]) model.fetchList(list).catch(() => {});
  }, [state.limits, state.listsTurn]);
  useShortcuts({
    search: () => document.getElementById("search")?.focus(),
    find: () => show("find"),
    next: () => goTo(neighbour(lists, open?.name, 1)),
    previous: () => goTo(neighbour(lists, open?.name, -1)),
    close: open && panel ? () => model.set({ panel: false }) : null,
  });
  const isLonely = lists.contacts.isFetched && !lists.contacts.lines.length && !lists.requests.lines.length;
  return html`<main class=${`main ${isLonely && !open ? "is-lonely" : ""} ${open ? "has-open" : ""} ${panel && open ? "has-panel" : ""}`}>
    <h1 class="unseen">${t("app")}</h1>
    <${Warnings} state=${state} home=${home} />
    <div class="columns">
      <nav class="people" aria-label=${t("people")}>
        <${Top} home=${home} state=${state} />
        <${People} state=${state} turn=${turn} />
      </nav>
      <section class="talk" aria-label=${t("talk")}>
        ${open ? html`<${Talk} key=${open.name} state=${state} home=${home} turn=${turn} />` : html`<${Empty} state=${state} />`}
      </section>
    </div>
    <${Live} name=${open?.name} />
    <${DialogPlace} dialog=${dialog} state=${state} home=${home} />
  </main>`;
}

function goTo(name) {
  if (name) model.openConversation(name);
}
