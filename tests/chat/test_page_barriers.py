"""axe-core finds no barrier on any screen of the page: light or dark, wide or narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import pytest
from playwright.sync_api import FilePayload, Page, ViewportSize, expect

from tests.helpers.browser import Chromium
from tests.helpers.page_scenes import full_account
from tests.helpers.page_stage import Account, Stage, contact, written_text
from usernym.chat.wire import FilePart, HomeWire, Problem, WarningsWire

ROOT: Final = Path(__file__).resolve().parents[2]
AXE: Final = ROOT / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
NARROW: Final[ViewportSize] = {"width": 390, "height": 844}
_RUN: Final = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .map((found) => `${found.id}: ${found.nodes.map((node) => node.target + " " + node.failureSummary).join("; ")}`)"""

pytestmark = [pytest.mark.browser, pytest.mark.seconds]

Step = Callable[[Page], None]


def open_person(name: str) -> Step:
    return lambda page: page.locator(f"[data-name={name}]").click()


def press(name: str) -> Step:
    return lambda page: page.get_by_role("button", name=name, exact=True).first.click()


def into(title: str) -> tuple[Step, ...]:
    return press("Settings"), press(title)


def type_in(label: str, text: str) -> Step:
    return lambda page: page.get_by_label(label, exact=True).fill(text)


def menu_of_a_text(page: Page) -> None:
    page.locator("[data-row]").last.focus()
    page.keyboard.press("Enter")


def in_panel(row: str) -> tuple[Step, ...]:
    return (open_person("amara"), press("About amara"), press(row))


def new(**more: Any) -> HomeWire:
    return HomeWire(screen="new", can_change_network=True, **more)


SCREENS: Final[dict[str, tuple[HomeWire | None, tuple[Step, ...]]]] = {
    "network": (HomeWire(screen="network", emulated=True), ()),
    "welcome": (new(), ()),
    "name": (new(), (press("Choose a name"), type_in("Name", "alice"))),
    "passphrase": (
        new(name="maya"),
        (
            press("Choose a name"),
            lambda page: expect(page.get_by_text("maya is free.")).to_be_visible(),
            press("Continue"),
            press("Continue"),
        ),
    ),
    "restore": (new(), (press("I have recovery words"), press("Restore"))),
    "words": (HomeWire(screen="unregistered", has_words=True, name="maya"), ()),
    "words-back": (
        HomeWire(screen="unregistered", has_words=True, name="maya"),
        (press("I have written them down"), press("Register")),
    ),
    "unfinished": (HomeWire(screen="unregistered", name="maya"), ()),
    "locked": (HomeWire(screen="locked"), ()),
    "stopped": (HomeWire(screen="stopped", problem=Problem("disk_full")), ()),
    "people": (None, ()),
    "archived": (None, (press("Archived (1)"),)),
    "search": (None, (type_in("Search people and texts", "ma"),)),
    "nothing-found": (None, (type_in("Search people and texts", "zzz"),)),
    "talk": (None, (open_person("amara"),)),
    "text-menu": (None, (open_person("amara"), menu_of_a_text)),
    "details": (
        None,
        (open_person("amara"), menu_of_a_text, lambda page: page.get_by_role("menuitem", name="Details").click()),
    ),
    "address": (None, (open_person("amara"), press("https://market.example/stalls/17"))),
    "files": (
        None,
        (open_person("hana"), lambda page: expect(page.locator("li.text img")).to_have_count(2)),
    ),
    "picture": (None, (open_person("hana"), lambda page: page.locator(".file-picture").last.click())),
    "tray": (
        None,
        (
            open_person("hana"),
            lambda page: page.locator(".composer input[type=file]").set_input_files(
                [
                    FilePayload(name=name, mimeType=kind, buffer=bytes(size))
                    for name, kind, size in (("a.png", "image/png", 9), ("b.bin", "", 11_000_000))
                ]
            ),
        ),
    ),
    "request": (None, (open_person("rosalind"),)),
    "changed": (None, (open_person("jonas_w"),)),
    "panel": (None, (open_person("amara"), press("About amara"))),
    "nickname": (None, in_panel("Nickname None")),
    "route": (None, in_panel("Direct route In use")),
    "offer": (None, (open_person("li_wei"), press("About li_wei"), press("Direct route None: through the node"))),
    "disappearing": (
        None,
        (*in_panel("Disappearing texts After 7 days"), lambda page: page.get_by_text("After another time").click()),
    ),
    "delete-texts": (None, in_panel("Delete all texts")),
    "remove": (None, in_panel("Remove amara")),
    "safety": (None, (open_person("li_wei"), lambda page: page.locator(".trust-button").click())),
    "safety-differs": (
        None,
        (
            open_person("li_wei"),
            lambda page: page.locator(".trust-button").click(),
            type_in("What does li_wei see?", "1" * 60),
            press("Compare"),
        ),
    ),
    "find": (None, (press("Find someone"), type_in("Name or link", "nonesuch"), press("Find"))),
    "me": (None, (lambda page: page.locator(".me").click(),)),
    "settings": (None, (press("Settings"),)),
    "appearance": (None, into("Appearance")),
    "notifications": (None, into("Notifications and sound")),
    "change-passphrase": (None, (*into("Passphrase"), press("Change passphrase"))),
    "backup": (None, (*into("Backup"), press("Create backup"))),
    "help": (None, into("Keys and words")),
    "about": (None, into("About")),
    "stolen": (None, into("My machine was stolen")),
    "delete-account": (None, into("Delete this account")),
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    account = full_account()
    states = get_args(get_type_hints(FilePart)["state"])
    files = [
        written_text(
            9_000 + number,
            f"{state}.png",
            600 - number,
            out=out,
            file=FilePart(picture=True, size=1_080_000, done=400_000, state=state),
        )
        for number, (state, out) in enumerate((state, out) for state in states for out in (False, True))
        if state == "complete" or not out
    ]
    account.add(contact("hana"), *files)
    account.warnings = WarningsWire(caught=["two_tells"], stalled_since=1_700_000_000, node_moved=True)
    with Stage(account) as stage:
        yield stage


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: `make axe` fetches it")
@pytest.mark.parametrize("screen", SCREENS)
def test_no_screen_has_a_barrier(stage: Stage, chromium: Chromium, screen: str) -> None:
    home, steps = SCREENS[screen]
    main = HomeWire(screen="main", name="maya", emulated=True)
    stage.account.home = main if home is None else home
    profile, _ = chromium.context("maya", stage.host, reduced_motion="reduce", viewport=WIDE)
    profile.add_init_script(path=AXE)
    page = profile.new_page()
    page.goto(stage.address)
    page.locator("h1, .list").first.wait_for()
    for step in steps:
        step(page)
    found = []
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            expect(page.locator("html")).to_have_attribute("data-theme", scheme)
            page.wait_for_timeout(100)  # for what is drawn after an answer
            found += [f"{scheme}, {size['width']} px: {each}" for each in page.evaluate(_RUN)]
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if overflow > 0:
            found.append(f"{overflow} px wider than {size['width']} px")
    profile.close()
    assert found == []
    assert chromium.take_problems() == []


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: `make axe` fetches it")
def test_windows_without_an_account_have_no_barrier(chromium: Chromium) -> None:
    with Stage(Account()) as stage:
        profile, _ = chromium.context("maya", stage.host)
        profile.add_init_script(path=AXE)
        page = profile.new_page()
        page.goto(f"http://{stage.host}/#used")
        expect(page.get_by_role("heading", name="Open a new address")).to_be_visible()
        assert page.evaluate(_RUN) == []
        page.goto("about:blank")
        page.goto(stage.address)
        expect(page.get_by_role("heading", name="Say hello")).to_be_visible()
        assert page.evaluate(_RUN) == []
        stage.end()
        expect(page.get_by_role("heading", name="usernym has ended")).to_be_visible()
        assert page.evaluate(_RUN) == []
        profile.close()
    assert chromium.take_problems() == []


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: `make axe` fetches it")
def test_a_planted_barrier_is_found(stage: Stage, chromium: Chromium) -> None:
    profile, _ = chromium.context("maya", stage.host)
    profile.add_init_script(path=AXE)
    page = profile.new_page()
    page.goto(stage.address)
    page.locator("h1, .list").first.wait_for()
    page.evaluate("document.body.append(document.createElement('button'))")
    assert any(found.startswith("button-name") for found in page.evaluate(_RUN))
    profile.close()


def test_what_a_finger_presses_is_large_enough(chromium: Chromium) -> None:
    account = full_account()
    with Stage(account) as stage:
        profile, _ = chromium.context("maya", stage.host, viewport=NARROW, has_touch=True, is_mobile=True)
        page = profile.new_page()
        page.goto(stage.address)
        small = """() => [...document.querySelectorAll("button, input, textarea, a")]
            .filter((each) => !each.matches(".address") && each.checkVisibility({opacityProperty: true}))
            .map((each) => [each.closest(".choice, .search, .composer") ?? each, each])
            .filter(([box]) => box.getBoundingClientRect().height < 40 || box.getBoundingClientRect().width < 40)
            .map(([, each]) => each.outerHTML.slice(0, 120))"""
        page.locator("[data-name=amara]").wait_for()
        assert page.evaluate(small) == []
        page.locator("[data-name=amara]").click()
        page.locator("[data-row]").first.wait_for()
        assert page.evaluate(small) == []
        page.get_by_role("button", name="About amara").first.click()
        assert page.evaluate(small) == []
        page.locator(".panel-row", has_text="Safety number").click()
        assert page.evaluate(small) == []
        profile.close()
