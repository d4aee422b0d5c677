"""Texts as they are, whatever is in them: code, markup, other scripts, tricks, and as long as they may be."""

from __future__ import annotations

import pytest
from playwright.sync_api import FloatRect, Locator, expect

from tests.helpers.browser_people import People, Someone

pytestmark = [pytest.mark.browser, pytest.mark.processes]

Pair = tuple[Someone, Someone]

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)><svg onload=alert(3)>",
    "</script></p></li><h1>big</h1><style>*{display:none}</style>",
    "javascript:alert(4) [here](javascript:alert(5)) https://example.org/",
    "{{7*7}} {{constructor.constructor('alert(6)')()}} v-html=\"x\" :title='y' @click='alert(7)'",
    "`${alert(8)}` ${7*7} #{7*7} <%= 7*7 %> %s {0.text} {result}",
    "&lt;b&gt; &amp; &#x3c;script&#x3e; &nbsp;",
    "\"]}'); DROP TABLE messages; -- \\u003cscript\\u003e \\n",
    "**bold** _soft_ # title | table | ![x](http://example.org/x.png)",
]
SCRIPTS = [
    "שלום עולם, מה שלומך?",
    "مرحبا كيف حالك؟ 123 abc",
    "mixed שלום and مرحبا and 漢字",
    "👋🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇭 ❤️",
    "e\u0301 \u1e9b\u0323 Z\u0351\u036b\u0343\u036a\u0302\u0332 combining",
]
TURNING = [
    "\u202eevil esrever",
    "\u202e\u202e\u202b\u2067 never closed",
    "\u2066\u2067\u2068 isolates \u200f\u200e marks",
    "\u202dforced left to right שלום",
]


@pytest.fixture(scope="module")
def pair(company: People) -> Pair:
    return company.pair()


def snippet(text: str) -> str:
    """As the list has it: the first 120 letters, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:120]}…"


@pytest.mark.parametrize("text", HOSTILE)
def test_code_and_markup_are_letters(people: People, pair: Pair, text: str) -> None:
    alice, bob = pair
    alice.write(text)
    alice.wait_until("she sees it", lambda: alice.last() == text)
    bob.wait_until("he sees it", lambda: bob.last() == text)
    for person in pair:
        assert person.page.locator(".words-of :not(.address)").count() == 0
        assert person.page.locator("script:not([src]), iframe, object, embed").count() == 0
        entry = person.entry(alice.home if person is bob else bob.home).locator(".line-last > [dir=auto]")
        expect(entry).to_have_text(snippet(text))
        assert entry.locator("*").count() == 0
    # As a finding of a search, and said aloud.
    bob.page.get_by_label("Search people and texts").fill(text.split(maxsplit=1)[0])
    found = bob.page.get_by_role("region", name="Texts", exact=True).locator(".line-last > bdi")
    expect(found.first).to_contain_text(text.split(maxsplit=1)[0])
    assert found.locator("*:not(mark)").count() == 0
    bob.page.get_by_label("Search people and texts").fill("")
    expect(bob.page.get_by_role("log")).to_contain_text(text.split(maxsplit=1)[0])
    assert bob.page.get_by_role("log").locator("p *").count() == 0


def box_of(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box is not None
    return box


@pytest.mark.parametrize("text", SCRIPTS + TURNING)
def test_no_letters_turn_the_page_around(people: People, pair: Pair, text: str) -> None:
    alice, bob = pair
    plain_text = f"plain before {ascii(text)[:40]}"
    alice.write(plain_text)
    bob.wait_until("he sees it", lambda: bob.last() == plain_text)  # or the other might overtake it
    alice.write(text)
    alice.wait_until("she sees it", lambda: alice.last() == text)
    bob.wait_until("he sees it", lambda: bob.last() == text)
    alice.wait_until("it is delivered", lambda: alice.lines()[-1].state == "Delivered")
    for person in pair:
        plain, turned = (person.page.locator("li.text[data-row] .bubble").nth(at) for at in (-2, -1))
        first, second = box_of(plain), box_of(turned)
        meta, time = box_of(turned.locator(".meta")), box_of(turned.locator("time"))
        if person is bob:  # theirs begin on the left
            assert first["x"] == second["x"]
        else:  # ours end at the right
            assert abs(first["x"] + first["width"] - second["x"] - second["width"]) < 1
            assert time["x"] < box_of(turned.locator(".tick"))["x"]
        # The time stands at the end of the bubble, beside or under what is written.
        assert 0 <= second["x"] + second["width"] - meta["x"] - meta["width"] < 24
        assert turned.locator("time").inner_text().count(":") == 1
        line = person.entry(alice.home if person is bob else bob.home)
        name, when = box_of(line.locator(".line-name")), box_of(line.locator(".line-time"))
        assert name["x"] < when["x"]
        expect(line.locator(".line-time")).to_have_text(turned.locator("time").inner_text())


def test_a_text_may_have_64_kilobytes_and_no_byte_more(people: People) -> None:
    alice, bob = people.pair()
    for letter in ("x", "é", "漢", "👋"):  # bytes are counted, not letters
        size = len(letter.encode())
        text = letter * (65_536 // size) + "x" * (65_536 % size)
        alice.box.fill(text + "y")
        expect(alice.page.get_by_text("This text is too long by 1 byte.")).to_be_visible()
        expect(alice.button("Send")).to_be_disabled()
        alice.box.press("Enter")
        expect(alice.box).to_have_value(text + "y")
        alice.box.fill(text)
        expect(alice.page.get_by_text("0 bytes are left.")).to_be_visible()
        expect(alice.button("Send")).to_be_enabled()
    alice.box.press("Enter")
    expect(alice.box).to_have_value("")
    bob.wait_until("it has come whole", lambda: bob.last() == text)
    alice.wait_until("it is delivered", lambda: alice.lines()[-1].state == "Delivered")
    for person in (alice, bob):
        assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_line_break_is_one_and_spaces_stay(people: People, pair: Pair) -> None:
    alice, bob = pair
    alice.box.press_sequentially("one")
    alice.box.press("Shift+Enter")
    alice.box.press_sequentially("  two")
    alice.box.press("Enter")
    expect(alice.box).to_have_value("")
    bob.wait_until("it has come", lambda: bob.last() == "one\n  two")
    said = bob.page.locator("li.text .words-of").last
    assert said.inner_text() == "one\n  two"
    before = len(alice.lines())
    for nothing in ("", "   ", "\n\n"):
        alice.box.fill(nothing)
        alice.box.press("Enter")
    alice.write("after nothing")
    bob.expect_text("after nothing")
    assert len(alice.lines()) == before + 1
