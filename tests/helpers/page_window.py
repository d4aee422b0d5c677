"""A window of the page before a made-up account, and what a person does in it."""

from __future__ import annotations

import time
from typing import Any, Final, Self

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.helpers.browser import Chromium
from tests.helpers.page_stage import Stage

QUICK_MS: Final = 15_000
"""How long anything takes at most that needs no other program."""


def wait_for_screen(page: Page) -> None:
    """Wait until the page shows the account's screen. While it connects, it has a title too."""
    page.locator(".list, h1:not(:text('One moment'))").first.wait_for()


def midday_zone(now: float) -> str:
    """A time zone in which it is between noon and one: there a text of two hours ago is one of today, at any hour."""
    ahead = 12 - time.gmtime(now).tm_hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


class PageWindow:
    """One window in a profile of its own. Leaving the context closes it."""

    def __init__(self, stage: Stage, chromium: Chromium, script: str = "", **context: Any) -> None:
        usual: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        usual["timezone_id"] = midday_zone(time.time())
        self.context: BrowserContext
        self.context, self.watch = chromium.context("maya", stage.host, **usual | context)
        self.context.set_default_timeout(QUICK_MS)
        if script:
            self.context.add_init_script(script)
        self.page: Page = self.context.new_page()
        self.page.goto(stage.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        self.button(name).first.click()

    def undo(self, done: str) -> None:
        """Take back what the page says it has done: what it said before may be there still, with a button like it."""
        expect(self.page.locator(".toast")).to_contain_text(done)
        self.press("Undo")

    def open(self, name: str) -> None:
        self.page.locator(f"[data-name={name}]").click()
        expect(self.page.locator(".texts:not([aria-busy])")).to_be_visible()

    @property
    def box(self) -> Locator:
        return self.page.locator(".composer textarea")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def menu(self) -> Locator:
        return self.page.get_by_role("menu")

    def text(self, words: str) -> Locator:
        return self.page.locator("li.text", has_text=words)

    def open_menu(self, words: str) -> None:
        self.text(words).focus()
        self.page.keyboard.press("Enter")
        expect(self.menu).to_be_visible()
