"""What the page says of the node's public directory: of a contact's key, and of the user's own name."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import Chromium
from tests.helpers.page_stage import Account, Stage, contact
from tests.helpers.page_window import PageWindow
from usernym import WitnessesView
from usernym.chat.wire import WarningsWire

pytestmark = [pytest.mark.browser, pytest.mark.seconds]

WORDS_OF_THE_DIRECTORY: Final = {
    "shown": ("In the public directory", "anyone can check"),
    "not_witnessed": ("In the public directory, but not signed by your witnesses", "may show you another log"),
    "promised": ("Not in the public directory yet", "has promised"),
    "not_shown": ("Not in the public directory", "has not shown"),
}


@pytest.mark.parametrize("directory", WORDS_OF_THE_DIRECTORY)
def test_the_panel_tells_the_directory_from_the_node_s_word_and_from_the_user_s(
    chromium: Chromium, directory: str
) -> None:
    account = Account()
    for name, trust in (("amara", "verified"), ("li_wei", "confirmed")):
        account.people[name] = contact(name, trust=trust, directory=directory)
        account.texts[name] = []
    with Stage(account) as stage:
        window = PageWindow(stage, chromium)
        for name, trust in (("amara", "Verified"), ("li_wei", "Confirmed by the node")):
            window.open(name)
            window.press(f"About {name}")
            panel = window.page.get_by_role("complementary", name=f"About {name}")
            expect(panel.locator(".panel-row", has_text="Safety number")).to_contain_text(trust)
            fact = panel.locator(".panel-fact")
            title, meaning = WORDS_OF_THE_DIRECTORY[directory]
            expect(fact.get_by_text(title, exact=True)).to_be_visible()
            expect(fact).to_contain_text(meaning)
            expect(fact).not_to_contain_text(trust)
            window.page.keyboard.press("Escape")


def test_a_forged_name_and_a_doubt_stay_on_the_screen_and_say_what_to_do(chromium: Chromium) -> None:
    account = Account()
    account.warnings = WarningsWire(
        caught=["name_changed", "forked_log"],
        doubted_since=1_700_000_000,
        unwitnessed_since=1_700_000_000,
        stalled_since=None,
        node_moved=False,
    )
    with Stage(account) as stage:
        window = PageWindow(stage, chromium)
        lines = window.page.get_by_role("alert")
        expect(lines).to_have_count(4)
        for line, words in enumerate(
            (
                "has a change of your name that did not come from this program",
                "it showed different histories of its public directory",
                "does not show that its public directory is still the one that it showed before",
                "shows a log that your witnesses have not signed",
            )
        ):
            expect(lines.nth(line)).to_contain_text(words)
            expect(lines.nth(line).get_by_role("button")).to_have_count(0)
        expect(lines.first).to_contain_text("Compare safety numbers")


@pytest.mark.parametrize(
    ("witnesses", "words"),
    [
        (
            WitnessesView(3, 2, 1, 1_700_000_000, None),
            "2 of 3 must sign .* signatures of 1. The last with enough was .* 2023",
        ),
        (WitnessesView(1, 1, 0, None, None), "1 of 1 must sign .* signatures of 0. None with enough was shown yet"),
        (WitnessesView(1, 1, None, None, None), "has not shown it since they were named"),
        (None, None),
    ],
)
def test_about_says_how_many_witnesses_have_signed_and_when_enough_had(
    chromium: Chromium, witnesses: WitnessesView | None, words: str | None
) -> None:
    account = Account()
    account.witnesses = witnesses
    with Stage(account) as stage:
        window = PageWindow(stage, chromium)
        window.press("Settings")
        window.press("About")
        expect(window.dialog).to_contain_text("Folder of this account")
        row = window.dialog.locator("div", has=window.page.locator("dt", has_text="Witnesses"))
        if words is None:
            expect(row).to_have_count(0)
        else:
            expect(row.last).to_contain_text(re.compile(words))
