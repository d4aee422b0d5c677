"""The chat page of a long history beside that of a short one, in a real browser: from a press to the screen."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Page, expect

from bench.history import LONG, NOWHERE, PASSPHRASE, SHORT, Figure, make_home
from tests.helpers.browser import Chromium, missing
from tests.helpers.crash_world import kill, start, usernym_command
from usernym.demo.processes import Running

TRIES = 7
"""Of each operation; the fastest counts, since others use this machine too."""
NO_MIXNET = "ws://127.0.0.1:9"
"""No one answers there: the page is that of someone who is offline."""


def seconds(act: Callable[[], object], undo: Callable[[], object] = lambda: None) -> float:
    """Its shortest time of several."""
    times = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
        undo()
    return min(times)


@contextlib.contextmanager
def chat(folder: Path, home: str) -> Iterator[tuple[Running, str]]:
    """The program, and its address."""
    command = usernym_command("--home", home, "chat", "--no-browser")
    program = start(home, folder, command)
    try:
        yield program, program.wait_for("its address", lambda told: told.get("event") == "ready")["address"]
    finally:
        kill(program)


def times(texts: int) -> dict[str, float]:
    """Seconds by operation."""
    with tempfile.TemporaryDirectory() as name, Chromium() as chromium:
        near = make_home(Path(name) / "alice", texts, NO_MIXNET)
        with chat(Path(name), "alice") as (_, address):
            context, _ = chromium.context("alice", address.split("/")[2])
            page = context.new_page()
            page.goto(address)
            page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
            page.keyboard.press("Enter")
            contact = page.get_by_role("list", name="Contacts").get_by_role("button")
            contact.wait_for()

            def load() -> None:
                page.reload()
                page.locator("[data-row]").first.wait_for()

            contact.click()
            page.locator("[data-row]").first.wait_for()
            return {
                "the page, loaded again with a conversation": seconds(load),
                "search, found among the newest": seconds(*_search(page, near, found=True)),
                "search, found nowhere": seconds(*_search(page, NOWHERE, found=False)),
            }


def _search(page: Page, words: str, *, found: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    field, findings = page.get_by_label("Search texts"), page.get_by_role("list", name="Found")

    def act() -> None:
        field.fill(words)
        (findings.get_by_role("button").first if found else page.get_by_text("No texts found.")).wait_for()

    def undo() -> None:
        field.fill("")
        expect(page.get_by_role("list", name="Contacts")).to_be_visible()

    return act, undo


def page_table() -> list[Figure]:
    """Each operation with a short and a long history; empty where there is no browser."""
    if missing():
        return []
    short, long = times(SHORT), times(LONG)
    return [Figure(operation, short[operation], long[operation]) for operation in short]


if __name__ == "__main__":
    for figure in page_table():
        print(figure)
