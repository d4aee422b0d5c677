"""The chat page with much beside the page with little, in a real browser: from a press until the answer is laid out."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench.history import LONG, NOWHERE, PASSPHRASE, SHORT, Figure, make_home
from tests.helpers.browser import Chromium, launched, missing
from tests.helpers.chat_window import served
from usernym import MessageArrived
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Route

FEW, MANY = 10, 5_000
"""Contacts beside the one with the long history."""
TRIES = 9
"""Of each operation; the fastest counts, since others use this machine too."""
NO_MIXNET = "ws://127.0.0.1:9"
"""No one answers there: the page is that of someone who is offline."""
_TIMED: Final = """async ([act, holds, what]) => {
    window.ended = 0;
    const begun = performance.now();
    const done = new Promise((done) => {
      const look = () => {
        if (!window.holds[holds](what)) return;
        watch.disconnect();
        document.body.getBoundingClientRect();
        window.ended = performance.timeOrigin + performance.now();
        done((performance.now() - begun) / 1000);
      };
      const watch = new MutationObserver(look);
      watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
      if (act) Promise.resolve(window.acts[act](what)).then(look);
    });
    return act ? done : 0;
}"""
"""Seconds from an act until something holds in the document, and is laid out. Without an act: `window.ended`, later."""
_ACTS: Final = """
    const one = (selector) => document.querySelector(selector);
    const all = (selector) => document.querySelectorAll(selector);
    const type = (field, text) => {
      const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set;
      set.call(field, text);
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    };
    window.acts = {
      open: (name) => one(`[data-name=${name}]`).click(),
      back: () => ((window.before = all("[data-row]").length), (one(".texts").scrollTop = 0)),
      search: (words) => type(one("#search"), words),
      write: (text) => type(one(".composer textarea"), text),
    };
    const watch = new MutationObserver(() => {
      if (!one(".lists [data-name]")) return;
      watch.disconnect();
      window.listed = performance.now();
    });
    watch.observe(document, { subtree: true, childList: true });
    window.holds = {
      opened: (name) => one(".bar-name bdi")?.textContent.startsWith(name.split("_")[0]) && one(".talk [data-row]") &&
        one(`[data-name=${name}][aria-current]`),
      further: () => all("[data-row]").length > window.before,
      found: () => one("section[aria-label=Texts] .line"),
      nowhere: () => one(".lists .list-empty:not(.is-looking)"),
      listed: () => !one("section[aria-label=Texts]") && !one(".lists .list-empty") && one(".lists [data-name]"),
      written: (text) => (one(".send").getAttribute("aria-disabled") === "true") === !text,
      arrived: (text) => [...all("li.text")].at(-1)?.innerText.includes(text),
    };
"""


class Home:
    """A home with a history, whose page is served in a thread, and what comes for it."""

    def __init__(self, folder: Path, texts: int, contacts: int) -> None:
        self.contacts = contacts
        self.near = make_home(folder, texts, NO_MIXNET, contacts)
        self._home = folder
        self._counters = itertools.count(texts)

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """The address of its page."""
        ready: threading.Event = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        thread.start()
        ready.wait()
        self._store = ClientStore.open(self._home, PASSPHRASE)
        try:
            yield f"http://{self._page.host}/#{self._page.keys.new_token()}"
        finally:
            self._store.close()
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with served(self._home, passphrase=PASSPHRASE) as self._page:
            ready.set()
            await self._over.wait()

    def receive(self, text: str) -> None:
        """A text of bob's comes: from here on it is on the disk, and the client tells."""
        counter = next(self._counters)
        message_id = counter.to_bytes(16)
        with self._store.transaction():
            self._store.messages.add_incoming(
                contact="bob", message_id=message_id, key_number=1, counter=counter, kind=1, body=text.encode(),
                token=bytes(16), sent_at=counter, now=int(time.time()), route=Route.NODE,
            )  # fmt: skip
        event = MessageArrived(message_id, "bob", text, counter, counter, 0, Route.NODE, is_request=False)
        self._loop.call_soon_threadsafe(self._page.person._tell, event)  # noqa: SLF001 - as its client does


class Window:
    """A window of the page of a home, and how long it takes."""

    def __init__(self, home: Home, address: str, chromium: Chromium) -> None:
        self._home = home
        self._other = f"person_{home.contacts - 1}"
        self._arrivals = itertools.count()
        context, _ = chromium.context("alice", address.split("/")[2])
        context.add_init_script(_ACTS)
        self._page = context.new_page()
        self._page.goto(address)
        self._page.locator("[data-name=bob]").wait_for()

    def _seconds(self, act: str, holds: str, what: str = "") -> float:
        found: float = self._page.evaluate(_TIMED, [act, holds, what])
        return found

    def _loaded(self, what: str) -> float:
        self._page.reload()
        self._page.locator(".lists [data-name]").first.wait_for()
        found: float = self._page.evaluate(what)
        return found / 1000

    def first_paint(self) -> float:
        """Of the page, loaded again."""
        return self._loaded("performance.getEntriesByName('first-contentful-paint')[0].startTime")

    def listed(self) -> float:
        """Until the list is there, after the page was loaded again."""
        return self._loaded("window.listed")

    def opened(self) -> float:
        """A conversation."""
        self._seconds("open", "opened", self._other)
        return self._seconds("open", "opened", "bob")

    def further_back(self) -> float:
        """A page of a conversation."""
        self.opened()
        return self._seconds("back", "further")

    def typed(self) -> float:
        """A letter."""
        self._seconds("write", "written", "")
        return self._seconds("write", "written", "a")

    def found(self) -> float:
        """A word of the newest text."""
        self._seconds("search", "listed", "")
        return self._seconds("search", "found", self._home.near)

    def found_nowhere(self) -> float:
        """Until it is certain that no text has it."""
        self._seconds("search", "listed", "")
        taken = self._seconds("search", "nowhere", NOWHERE)
        self._seconds("search", "listed", "")
        return taken

    def arrived(self) -> float:
        """A text, from its way to the disk."""
        text = f"arrival {next(self._arrivals)}"
        self._page.evaluate(_TIMED, ["", "arrived", text])
        begun = time.time()
        self._home.receive(text)
        while not (ended := self._page.evaluate("window.ended")):
            self._page.wait_for_timeout(10)
        return float(ended) / 1000 - begun

    def scroll_to_the_end(self) -> None:
        """Of the list, until all of it was fetched."""
        end = "document.querySelector('[data-name=person_0]')"
        while not self._page.evaluate(f"Boolean({end})"):
            self._page.locator(".lists").evaluate("(box) => (box.scrollTop = box.scrollHeight)")
            self._page.wait_for_timeout(20)


OPERATIONS: Final = {
    "first paint": Window.first_paint,
    "the list is there": Window.listed,
    "a conversation opens": Window.opened,
    "a page further back": Window.further_back,
    "a letter is typed": Window.typed,
    "search: found among the newest": Window.found,
    "search: certain that no text has it": Window.found_nowhere,
    "a text arrives": Window.arrived,
}
AT_THE_END: Final = {"a text arrives, all lines fetched": Window.arrived, "a letter, all lines fetched": Window.typed}


def page_table() -> list[Figure]:
    """Each operation with little and with much, by turns; empty where there is no browser."""
    if missing():
        return []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        homes = [Home(folder / "little", SHORT, FEW), Home(folder / "much", LONG, MANY)]
        addresses = [stack.enter_context(home.served()) for home in homes]
        chromium = stack.enter_context(launched())
        windows = [Window(home, address, chromium) for home, address in zip(homes, addresses, strict=True)]
        found = [_figure(name, operation, windows) for name, operation in OPERATIONS.items()]
        for window in windows:
            window.scroll_to_the_end()
        return found + [_figure(name, operation, windows) for name, operation in AT_THE_END.items()]


def _figure(name: str, operation: Callable[[Window], float], windows: list[Window]) -> Figure:
    times = [[operation(window) for window in windows] for _ in range(TRIES)]
    little, much = (min(each) for each in zip(*times, strict=True))
    return Figure(name, little, much)


if __name__ == "__main__":
    for figure in page_table():
        sys.stdout.write(f"{figure}\n")
