"""A language is a file: the browser's is taken if there is one, another can be chosen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import Chromium
from tests.helpers.page_language import OTHER, cut, english_left, other, with_other
from tests.helpers.page_screens import SCREENS, arrange, every_account
from tests.helpers.page_stage import Stage
from tests.helpers.page_window import PageWindow

pytestmark = [pytest.mark.browser, pytest.mark.seconds]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_other(tmp_path_factory.mktemp("page") / "static")


@pytest.fixture(scope="module")
def stage(folder: Path) -> Iterator[Stage]:
    with Stage(every_account(), folder) as stage:
        yield stage


def test_the_browsers_language_is_taken_and_another_can_be_chosen(stage: Stage, chromium: Chromium) -> None:
    arrange(stage, SCREENS["people"])
    window = PageWindow(stage, chromium, locale="he-IL")
    page, html = window.page, window.page.locator("html")
    expect(html).to_have_attribute("lang", OTHER)
    expect(html).to_have_attribute("dir", "rtl")
    window.press(other("Settings"))
    window.press(other("Language"))
    choices = window.dialog.get_by_role("radio")
    expect(choices).to_have_count(3)
    expect(window.dialog.get_by_label(other("Same as browser"))).to_be_checked()
    window.dialog.get_by_label("English").check()
    expect(html).to_have_attribute("lang", "en")
    expect(html).to_have_attribute("dir", "ltr")
    expect(window.dialog.get_by_label("Same as browser")).to_be_visible()
    page.keyboard.press("Escape")
    window.open("amara")
    expect(page.locator(".day").last).to_have_text("Today")
    page.reload()
    expect(html).to_have_attribute("lang", "en")
    expect(page.get_by_label("Search people and texts")).to_be_visible()
    window.open("amara")
    window.press("Settings")
    window.press("Language")
    window.dialog.get_by_label("Same as browser").check()
    expect(html).to_have_attribute("lang", OTHER)
    expect(page.locator(".day").last).not_to_have_text("Today")


def test_what_a_catalogue_lacks_is_said_in_english(folder: Path, chromium: Chromium, tmp_path: Path) -> None:
    few = tmp_path / "static"
    shutil.copytree(folder, few)
    begun = {"language": "Deutsch", "settings.title": "Einstellungen", "list.requests.other": "{count} Anfragen"}
    (few / "words" / "de.json").write_text(json.dumps(begun))
    with Stage(every_account(), few) as stage, PageWindow(stage, chromium, locale="de-AT") as window:
        expect(window.page.locator("html")).to_have_attribute("lang", "de")
        expect(window.page.get_by_role("heading", name="2 Anfragen")).to_be_visible()
        window.press("Einstellungen")
        expect(window.button("Appearance")).to_be_visible()


def test_a_browser_whose_languages_are_not_there_gets_english(stage: Stage, chromium: Chromium) -> None:
    arrange(stage, SCREENS["people"])
    window = PageWindow(stage, chromium, locale="fi-FI")
    expect(window.page.locator("html")).to_have_attribute("lang", "en")


def test_words_that_are_not_in_the_catalogue_are_found(stage: Stage, chromium: Chromium) -> None:
    arrange(stage, SCREENS["people"])
    window = PageWindow(stage, chromium, locale="he-IL")
    window.page.locator("[data-name=amara]").wait_for()
    assert english_left(window.page, stage.account) == []
    window.page.evaluate("document.querySelector('.me').title = 'Your link'")
    assert english_left(window.page, stage.account) == ["Your link"]
    assert cut(window.page) == []
    window.page.evaluate("document.querySelector('.list-title').style.cssText = 'width: 20px; overflow: hidden'")
    (found,) = cut(window.page)
    assert found.startswith("cut: list-title")
