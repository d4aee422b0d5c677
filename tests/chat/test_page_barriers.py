"""Every screen of the page for everyone: light, dark, wide, narrow, by keys, by screen readers, in any language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.helpers.browser import LOST, Chromium
from tests.helpers.page_keys import unreached
from tests.helpers.page_language import SPEAKS_OTHER, cut, english_left, with_other
from tests.helpers.page_scenes import full_account
from tests.helpers.page_screens import CAN_SCAN, SCREENS, arrange, names_in, walk_to
from tests.helpers.page_stage import Account, Stage
from tests.helpers.page_window import PageWindow, wait_for_screen

ROOT: Final = Path(__file__).resolve().parents[2]
AXE: Final = ROOT / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
NARROW: Final[ViewportSize] = {"width": 390, "height": 844}
_RUN: Final = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .map((found) => `${found.id}: ${found.nodes.map((node) => node.target + " " + node.failureSummary).join("; ")}`)"""
_NO_ONE_ANSWERS: Final = """
    window.WebSocket = class { constructor() { setTimeout(() => this.onclose({ code: CODE }), 100); } };
    const wait = window.setTimeout;
    window.setTimeout = (act, after, ...more) => wait(act, after >= 60_000 ? 500 : after, ...more);
"""
"""Every connection ends at once, and what waits for a minute waits half a second."""

_SMALL: Final = """() => [...document.querySelectorAll("button, input, textarea, a")]
    .filter((each) => !each.matches(".address") && each.checkVisibility({opacityProperty: true}))
    .map((each) => [(each.closest(".choice, .search, .composer") ?? each).getBoundingClientRect(), each])
    .filter(([box]) => box.height < 40 || box.width < 40)
    .map(([box, each]) => `${box.width} x ${box.height} ${each.outerHTML.slice(0, 120)}`)"""
"""Without motion only: while a box of 40 pixels moves, it may measure 39.99998."""

pytestmark = [pytest.mark.browser, pytest.mark.seconds]
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="no axe-core: `make axe` fetches it")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(full_account(), with_other(tmp_path_factory.mktemp("page") / "static")) as stage:
        yield stage


@pytest.fixture
def empty_stage() -> Iterator[Stage]:
    with Stage(Account()) as stage:
        yield stage


def barriers(page: Page) -> list[str]:
    """What axe finds in this window in both themes."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_attribute("data-theme", scheme)
        page.wait_for_timeout(50)  # for what is drawn after an answer
        found += [f"{scheme}: {each}" for each in page.evaluate(_RUN)]
    return found


@needs_axe
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_for_everyone(stage: Stage, chromium: Chromium, name: str) -> None:
    """No barrier, nothing that is too wide; all is reached by keys; and another language fits it and is all it says."""
    arrange(stage, SCREENS[name])
    profile, _ = chromium.context("maya", stage.host, reduced_motion="reduce", viewport=WIDE)
    profile.add_init_script(CAN_SCAN)
    profile.add_init_script(path=AXE)
    page = profile.new_page()
    walk_to(page, stage, SCREENS[name])
    faults: dict[str, list[str]] = {}
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        page.wait_for_timeout(50)
        faults[f"{size['width']} px"] = [*cut(page), *barriers(page)]
    page.evaluate(SPEAKS_OTHER)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    faults["in English"] = english_left(page, stage.account)
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)
        page.wait_for_timeout(50)
        faults[f"{size['width']} px, from right to left"] = cut(page)
    faults["unreached"] = unreached(page)
    if not page.locator("[role=menu]").count():
        page.set_viewport_size(NARROW)
        faults["unreached on a phone"] = unreached(page)
    assert {where: found for where, found in faults.items() if found} == {}


def test_a_button_that_no_key_reaches_is_found(stage: Stage, chromium: Chromium) -> None:
    arrange(stage, SCREENS["people"])
    profile, _ = chromium.context("maya", stage.host, viewport=WIDE)
    page = profile.new_page()
    walk_to(page, stage, SCREENS["people"])
    page.evaluate("document.querySelector('.me').tabIndex = -1")
    (found,) = unreached(page)
    assert 'class="me"' in found


def test_no_screen_dialog_or_page_of_the_settings_is_left_out() -> None:
    begun = {name.split("-")[0] for name in SCREENS}
    assert names_in("main/dialogs.js", r"^  (\w+): \w+,$") - begun == set()
    assert {f"settings-{page}" for page in names_in("dialogs/settings.js", r"id: \"(\w+)\"")} - set(SCREENS) == set()
    shown = {screen.home.screen for screen in SCREENS.values()}
    assert names_in("start.js", r"(\w+): [A-Z]\w+[, ]") == shown


@needs_axe
@pytest.mark.parametrize(
    ("code", "title"), [(1006, "One moment …"), (1006, "usernym does not answer"), (4429, "Too many windows")]
)
def test_windows_whose_program_does_not_answer_have_no_barrier(
    stage: Stage, chromium: Chromium, code: int, title: str
) -> None:
    profile, _ = chromium.context("maya", stage.host, reduced_motion="reduce")
    profile.add_init_script(_NO_ONE_ANSWERS.replace("CODE", str(code)))
    profile.add_init_script(path=AXE)
    page = profile.new_page()
    page.goto(stage.address)
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert page.evaluate(_RUN) == []


@needs_axe
def test_windows_without_an_account_have_no_barrier(empty_stage: Stage, chromium: Chromium) -> None:
    profile, watch = chromium.context("maya", empty_stage.host)
    profile.add_init_script(path=AXE)
    page = profile.new_page()
    page.goto(f"http://{empty_stage.host}/#used")
    expect(page.get_by_role("heading", name="Open a new address")).to_be_visible()
    assert page.evaluate(_RUN) == []
    page.goto("about:blank")
    page.goto(empty_stage.address)
    expect(page.get_by_role("heading", name="Say hello")).to_be_visible()
    assert page.evaluate(_RUN) == []
    with watch.allowing(LOST):
        empty_stage.end()
        expect(page.get_by_role("heading", name="usernym has ended")).to_be_visible()
        assert page.evaluate(_RUN) == []


@needs_axe
def test_a_planted_barrier_is_found(stage: Stage, chromium: Chromium) -> None:
    profile, _ = chromium.context("maya", stage.host)
    profile.add_init_script(path=AXE)
    page = profile.new_page()
    page.goto(stage.address)
    wait_for_screen(page)
    page.evaluate("document.body.append(document.createElement('button'))")
    assert any(found.startswith("button-name") for found in page.evaluate(_RUN))


def test_what_a_finger_presses_is_large_enough(chromium: Chromium) -> None:
    with (
        Stage(full_account()) as stage,
        PageWindow(stage, chromium, viewport=NARROW, has_touch=True, is_mobile=True) as window,
    ):
        page = window.page
        page.locator("[data-name=amara]").wait_for()
        assert page.evaluate(_SMALL) == []
        page.locator("[data-name=amara]").click()
        page.locator("[data-row]").first.wait_for()
        assert page.evaluate(_SMALL) == []
        window.press("About amara")
        page.locator(".panel").wait_for()
        assert page.evaluate(_SMALL) == []
        page.locator(".panel-row", has_text="Safety number").click()
        page.locator(".digits").wait_for()
        assert page.evaluate(_SMALL) == []
