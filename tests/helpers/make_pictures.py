"""Draws docs/pictures again: the chat page in Chromium, before made-up accounts (tests/helpers/page_scenes.py).

Run by `make pictures`. Names, texts and sizes are always the same; times are those of the day.
`CHROMIUM` names another Chromium.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from tests.helpers.browser import launched
from tests.helpers.page_scenes import evening_account, full_account, harbour_account
from tests.helpers.page_stage import Account, Stage
from usernym.chat.wire import HomeWire, WarningsWire

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
BYTES_MAX: Final = 80_000
"""Of one picture: they are in the repository for good."""
WIDE: Final = {"width": 900, "height": 580}
PHONE: Final = {"width": 390, "height": 800}


def squeezed(png: bytes) -> bytes:
    """The same picture with colours in steps of eight, which no eye sees, and compressed with more patience than
    Chromium has (RFC 2083, sections 3.2, 4.1.3 and 6)."""
    chunks, pixels, at = [], b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, each = int.from_bytes(content[:4], "big"), {2: 3, 6: 4}[content[9]]
        if kind == b"IDAT":
            pixels += content
        elif kind == b"IEND":
            chunks.append((b"IDAT", zlib.compress(in_steps(zlib.decompress(pixels), width * each, each), 9)))
            chunks.append((kind, content))
        else:
            chunks.append((kind, content))
        at += 12 + length
    return png[:8] + b"".join(
        len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    )


STEPS: Final = bytes(min(255, (value + 4) // 8 * 8) for value in range(256))


def in_steps(filtered: bytes, width: int, each: int) -> bytes:
    """Lines of pixels without their filters, colours in steps; each line is stored as its difference from the last."""
    out, above, above_out = bytearray(), bytearray(width), bytes(width)
    for begin in range(0, len(filtered), width + 1):
        line = bytearray(filtered[begin + 1 : begin + 1 + width])
        match filtered[begin]:
            case 1:
                for at in range(each, width):
                    line[at] = (line[at] + line[at - each]) & 255
            case 2:
                for at in range(width):
                    line[at] = (line[at] + above[at]) & 255
            case 3:
                for at in range(width):
                    left = line[at - each] if at >= each else 0
                    line[at] = (line[at] + (left + above[at]) // 2) & 255
            case 4:
                for at in range(width):
                    left, corner = (line[at - each], above[at - each]) if at >= each else (0, 0)
                    line[at] = (line[at] + paeth(left, above[at], corner)) & 255
            case _:
                pass
        stepped = bytes(line).translate(STEPS)
        out += b"\x02" + bytes((now - before) & 255 for now, before in zip(stepped, above_out, strict=True))
        above, above_out = line, stepped
    return bytes(out)


def paeth(left: int, above: int, corner: int) -> int:
    """PNG's predictor (RFC 2083, section 6.6)."""
    near = {value: abs(left + above - corner - value) for value in (corner, above, left)}
    least = min(near.values())
    return next(value for value in (left, above, corner) if near[value] == least)


def draw(page: Page, name: str, part: str = "body") -> None:
    """Take a picture of what the page shows, or one part of it, at rest and without a cursor that blinks."""
    page.wait_for_timeout(700)
    path = FOLDER / f"{name}.png"
    size = path.write_bytes(squeezed(page.locator(part).screenshot(animations="disabled", caret="hide", scale="css")))
    sys.stdout.write(f"{path.relative_to(FOLDER.parents[1])}: {size:,} bytes\n")
    if size > BYTES_MAX:
        raise SystemExit(f"{path.name} is larger than {BYTES_MAX:,} bytes: show less on it")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def turn_to(page: Page, name: str) -> None:
    page.locator(f"[data-name={name}]").click()
    page.locator("li.text").first.wait_for()


def first_run(page: Page) -> None:
    draw(page, "welcome")
    press(page, "Choose a name")
    page.get_by_label("Name", exact=True).fill("maya")
    page.get_by_text("maya is free.").wait_for()
    draw(page, "first-run")


def recovery_words(page: Page) -> None:
    page.set_viewport_size({"width": 900, "height": 650})  # all of the card
    page.locator(".words li").first.wait_for()
    draw(page, "recovery-words")


def conversation(page: Page) -> None:
    turn_to(page, "amara")
    draw(page, "conversation")
    press(page, "About amara")
    draw(page, "panel", ".panel")


def request(page: Page) -> None:
    turn_to(page, "rosalind")
    draw(page, "request")


def safety_number(page: Page) -> None:
    turn_to(page, "li_wei")
    page.locator(".trust-button").click()
    page.locator(".digits").wait_for()
    draw(page, "safety-number", "dialog")


def direct_route(page: Page) -> None:
    turn_to(page, "yuki")
    press(page, "About yuki")
    page.locator(".panel-row", has_text="Direct route").click()
    draw(page, "direct-route", "dialog")


def search(page: Page) -> None:
    page.get_by_label("Search people and texts").fill("ma")
    page.locator("mark").first.wait_for()
    draw(page, "search", ".people")


def dark(page: Page) -> None:
    turn_to(page, "oluwaseun")
    draw(page, "dark")


def phone(page: Page) -> None:
    turn_to(page, "oluwaseun")
    draw(page, "phone")


def files(page: Page) -> None:
    turn_to(page, "tomas")
    page.locator("li.text img").wait_for()
    page.locator(".composer input[type=file]").set_input_files(
        {"name": "quay.jpg", "mimeType": "image/jpeg", "buffer": bytes(531_000)}
    )
    draw(page, "files", ".talk-main")


def empty(page: Page) -> None:
    page.get_by_role("heading", name="Say hello").wait_for()
    draw(page, "empty")


def alarm(page: Page) -> None:
    page.get_by_role("alert").first.wait_for()
    turn_to(page, "amara")
    draw(page, "alarm")


def before(account: Account, home: HomeWire | None, look: Callable[[Page], None], **context: Any) -> None:
    """Open a window before an account, and draw what `look` draws."""
    if home is not None:
        account.home = home
    with Stage(account) as stage, launched() as chromium:
        usual = {"viewport": WIDE, "color_scheme": "light", "locale": "en-GB", "reduced_motion": "reduce"}
        profile, _ = chromium.context("pictures", stage.host, **usual | context)
        page = profile.new_page()
        page.goto(stage.address)
        look(page)
        if problems := chromium.take_problems():
            raise SystemExit("\n".join(problems))


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    before(Account(), HomeWire(screen="new"), first_run)
    before(Account(), HomeWire(screen="unregistered", has_words=True, name="maya"), recovery_words)
    before(Account(), None, empty)
    for look in (conversation, request, safety_number, direct_route, search):
        before(full_account(), None, look)
    forged = full_account()
    forged.warnings = WarningsWire(
        caught=["name_changed"], doubted_since=None, unwitnessed_since=None, stalled_since=None, node_moved=False
    )
    before(forged, None, alarm)
    before(harbour_account(), None, files)
    before(evening_account(), None, dark, color_scheme="dark")
    before(evening_account(), None, phone, viewport=PHONE, has_touch=True)


if __name__ == "__main__":
    main()
