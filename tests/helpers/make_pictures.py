"""Draws docs/pictures again: the chat pages of `usernym demo --chat` in Chromium, from the first run to a direct route.

Run by `make pictures`. The names, texts and sizes are always the same; safety number, recovery words (of an account
that ends with the demo) and times are what they are that day. `CHROMIUM` names another Chromium.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from usernym.demo.processes import Running

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
BYTES_MAX: Final = 80_000
"""Of one picture: they are in the repository for good."""
PATIENCE_MS: Final = 40_000
WIDE: Final[ViewportSize] = {"width": 1100, "height": 720}
PHONE: Final[ViewportSize] = {"width": 390, "height": 800}
PASSPHRASE: Final = "for the pictures only"


@contextlib.contextmanager
def demo() -> Iterator[tuple[Running, dict[str, str]]]:
    """The demo as a process, and the addresses of its pages."""
    command = [sys.executable, "-P", "-m", "usernym.cli", "--json", "demo", "--chat", "--no-browser"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    running = Running("demo", process)
    try:
        ready = running.wait_for("that it is ready", lambda told: told.get("event") == "ready")
        yield running, {page["who"]: page["address"] for page in ready["pages"]}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        running.end()


@contextlib.contextmanager
def node_stopped(running: Running) -> Iterator[None]:
    """Hold the demo's node, so that a text waits."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1] if entry.name.isdigit() else ""
            if parent == str(running.process.pid) and b"\0node\0run\0" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    (node,) = found
    os.kill(node, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node, signal.SIGCONT)


def squeezed(png: bytes) -> bytes:
    """The same picture, compressed with more patience than Chromium has (RFC 2083, sections 3.2 and 4.1.3)."""
    chunks, pixels, at = [], b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            pixels += content
        elif kind == b"IEND":
            chunks.append((b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
            chunks.append((kind, content))
        else:
            chunks.append((kind, content))
        at += 12 + length
    return png[:8] + b"".join(
        len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    )


def draw(page: Page, name: str, part: str = "body") -> None:
    """Take a picture of what the page shows, or one part of it, at rest and without a cursor that blinks."""
    page.wait_for_timeout(700)
    path = FOLDER / f"{name}.png"
    size = path.write_bytes(squeezed(page.locator(part).screenshot(animations="disabled", caret="hide", scale="css")))
    sys.stdout.write(f"{path.relative_to(FOLDER.parents[1])}: {size:,} bytes\n")
    if size > BYTES_MAX:
        raise SystemExit(f"{path.name} is larger than {BYTES_MAX:,} bytes: show less on it")


def open_page(browser: Browser, address: str) -> Page:
    """A window in a profile of its own."""
    context = browser.new_context(viewport=WIDE, color_scheme="light", locale="en-GB", reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    return page


def press(page: Page, name: str, *, exact: bool = True) -> None:
    page.get_by_role("button", name=name, exact=exact).click()


def write(page: Page, to: str, text: str) -> None:
    """Write a text, and wait until it is on disk."""
    box = page.get_by_placeholder(f"Write to {to}")
    box.fill(text)
    box.press("Enter")
    expect(box).to_have_value("")


def go_through_first_run(alice: Page) -> None:
    """Name, passphrase, words."""
    alice.get_by_label("Name", exact=True).fill("alice")
    alice.get_by_text("alice is free.").wait_for()
    draw(alice, "first-run")
    press(alice, "Continue")
    alice.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
    alice.get_by_label("Repeat the passphrase").fill(PASSPHRASE)
    press(alice, "Continue")
    alice.locator(".words b").first.wait_for()
    words = alice.locator(".words b").all_inner_texts()
    draw(alice, "recovery-words")
    press(alice, "I have written them down")
    for field in alice.locator(".field").all():
        field.locator("input").fill(words[int(field.locator("label").inner_text().split()[1]) - 1])
    press(alice, "Register")
    alice.get_by_text("connected", exact=True).wait_for()


def talk(running: Running, alice: Page, bob: Page) -> None:
    """Request, conversation, trust, direct route."""
    press(alice, "New …")
    alice.get_by_label("Name, or a usernym: link").fill("bob")
    press(alice, "Find")
    write(alice, "bob", "Hello Bob, it is Alice. We met at the library 📚")
    bob.get_by_role("button", name="alice").first.click()
    bob.get_by_role("button", name="Accept", exact=True).wait_for()
    draw(bob, "request")
    press(bob, "Accept")
    bob.get_by_role("button", name="Accept", exact=True).wait_for(state="detached")
    write(bob, "alice", "Hello Alice! Shall we compare the numbers on the phone tonight?")
    alice.get_by_text("on the phone tonight?").last.wait_for()
    write(alice, "bob", "Yes, at eight.")
    alice.locator(".texts").get_by_text("delivered", exact=True).first.wait_for()
    press(alice, "confirmed by the node …")
    alice.get_by_text("Sixty digits").wait_for()
    draw(alice, "safety-number", "dialog[open]")
    press(alice, "I have compared: they are the same")
    alice.get_by_role("button", name="verified …").wait_for()
    with node_stopped(running):
        write(alice, "bob", "I may be a minute late.")
        alice.locator(".texts").get_by_text("waiting here").wait_for()
        draw(alice, "conversation")
    alice.locator(".texts").get_by_text("delivered", exact=True).nth(1).wait_for()
    press(alice, "no direct route …")
    alice.get_by_role("button", name="Show my address, and ask for theirs").wait_for()
    draw(alice, "direct-route", "dialog[open]")
    press(alice, "Show my address, and ask for theirs")
    press(bob, "See the offer …")
    press(bob, "Accept, and show my address")
    alice.get_by_role("button", name="direct route …", exact=True).wait_for()
    bob.get_by_role("button", name="direct route …", exact=True).wait_for()
    write(bob, "alice", "Take your time. This one came directly.")
    alice.get_by_text("This one came directly.").last.wait_for()


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    with demo() as (running, addresses), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=[
                "--disable-gpu",
                "--no-first-run",
                "--disable-lcd-text",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
            ],
        )
        alice, bob = open_page(browser, addresses["alice"]), open_page(browser, addresses["bob"])
        go_through_first_run(alice)
        talk(running, alice, bob)
        alice.emulate_media(color_scheme="dark")
        draw(alice, "dark")
        alice.emulate_media(color_scheme="light")
        alice.set_viewport_size(PHONE)
        draw(alice, "phone")
        browser.close()


if __name__ == "__main__":
    main()
