"""A headless Chromium that is watched: whom it speaks to, what it complains of, and what it shows when a test fails."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, BrowserType, Error, Page, expect, sync_playwright

PATIENCE_S: Final = 60.0
"""How long a condition may take to come true on a machine that others keep busy. It takes a second or two, or the 35
seconds of three tries where a program comes back that others spoke to."""
CHROMIUM: Final = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)
WIDE: Final = {"width": 1000, "height": 720}
PHONE: Final = {"width": 360, "height": 740}
WITHOUT_A_HOST: Final = ("data", "blob", "about")
LOST: Final = re.compile(r"ERR_CONNECTION|ERR_INTERNET_DISCONNECTED|ERR_EMPTY_RESPONSE|ERR_NETWORK_CHANGED")
"""What Chromium complains of when the program behind the page has gone, or the network has."""
_TELL_VIOLATIONS: Final = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI}`));
"""


def missing() -> str:
    """Why there is no browser to test with; empty if there is one."""
    if shutil.which(CHROMIUM) is None:
        return f"no Chromium at {CHROMIUM}: on Debian `apt install chromium`, or CHROMIUM=/path/to/it"
    return ""


class BrowserWatch:
    """Notes all that the pages of one context must never do. `host` is the only one that they may speak to."""

    def __init__(self, context: BrowserContext, who: str, host: str) -> None:
        self.who = who
        self.host = host
        self.problems: list[str] = []
        self.requests = 0
        self._allowed: list[re.Pattern[str]] = []
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("request", lambda request: self._asked(request.url))
        context.on("console", lambda message: self._logged(message.type, message.text))
        context.on("weberror", lambda error: self._problem("pageerror", str(error.error)))
        context.on("page", self._watch_page)

    def _watch_page(self, page: Page) -> None:
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.on("dialog", self._refuse)

    def _refuse(self, dialog: Any) -> None:
        self._problem("dialog", f"{dialog.type}: {dialog.message}")
        with contextlib.suppress(Error):
            dialog.dismiss()

    def _asked(self, url: str) -> None:
        self.requests += 1
        parts = urlsplit(url)
        if parts.scheme not in WITHOUT_A_HOST and parts.netloc != self.host:
            self._problem("outside request", url)

    def _logged(self, kind: str, text: str) -> None:
        if kind == "error":
            self._problem("console", text)

    def _problem(self, kind: str, text: str) -> None:
        if not any(allowed.search(text) for allowed in self._allowed):
            self.problems.append(f"{self.who}: {kind}: {text}")

    @contextlib.contextmanager
    def allowing(self, pattern: re.Pattern[str]) -> Iterator[None]:
        """What fits this pattern is expected for now."""
        self._allowed.append(pattern)
        try:
            yield
        finally:
            self._allowed.remove(pattern)


@contextlib.contextmanager
def launched() -> Iterator[Chromium]:
    """A browser, which ends with the context."""
    expect.set_options(timeout=PATIENCE_S * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        with contextlib.closing(browser), Chromium(playwright.chromium, browser) as chromium:
            yield chromium


class Chromium:
    """The profiles of one test, or of several that share them, with one for each person. Leaving the context closes
    them: whatever the test came to, none of its windows is left to complain during the next one."""

    def __init__(self, kind: BrowserType, browser: Browser) -> None:
        self.watches: list[BrowserWatch] = []
        self._kind = kind
        self._browser = browser
        self._profiles = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._profiles.close()

    def apart(self) -> Self:
        """For another test in the same browser."""
        return type(self)(self._kind, self._browser)

    def context(self, who: str, host: str, **more: Any) -> tuple[BrowserContext, BrowserWatch]:
        """A profile of its own, as a private window has it."""
        return self._watched(self._browser.new_context(**{"viewport": WIDE} | more), who, host)

    def kept(self, folder: Path, who: str, host: str) -> tuple[BrowserContext, BrowserWatch]:
        """A profile on disk, as people have it, in a browser of its own."""
        context = self._kind.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=list(ARGUMENTS), viewport={"width": 1000, "height": 720}
        )
        return self._watched(context, who, host)

    def _watched(self, context: BrowserContext, who: str, host: str) -> tuple[BrowserContext, BrowserWatch]:
        self._profiles.callback(_close, context)
        context.set_default_timeout(PATIENCE_S * 1000)
        watch = BrowserWatch(context, who, host)
        self.watches.append(watch)
        return context, watch

    def take_problems(self) -> list[str]:
        """What the watches have noted, and forget it."""
        problems = [problem for watch in self.watches for problem in watch.problems]
        for watch in self.watches:
            watch.problems.clear()
        return problems


def _close(context: BrowserContext) -> None:
    with contextlib.suppress(Error):  # its browser has ended
        context.close()


def show(page: Page, who: str, folder: Path) -> None:
    """Print what a page shows, and where its picture is: for a test that has failed."""
    sys.stdout.write(f"\n--- {who}'s page ({page.url.partition('#')[0]})\n")
    try:
        sys.stdout.write(page.locator("body").inner_text(timeout=5000) + "\n")
        picture = folder / f"{who}.png"
        page.screenshot(path=picture, timeout=10_000)
        sys.stdout.write(f"--- its picture: {picture}\n")
    except Error as error:
        sys.stdout.write(f"(it can't be shown: {error.message.splitlines()[0]})\n")
