"""Usable without a mouse, by a screen reader, on a phone, in the light and in the dark."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.browser import PHONE
from tests.helpers.browser_people import People, Someone

pytestmark = [pytest.mark.browser, pytest.mark.processes]

CONTRAST_MIN = 4.5
"""WCAG 2.2, 1.4.3: text against its ground."""

CONTRASTS = r"""() => {
  // While a colour changes to another one it may be pale: in one step with the reading, all changes are completed.
  for (const one of document.getAnimations()) if (one.effect.getComputedTiming().endTime !== Infinity) one.finish();
  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((part, at) => part * a + under[at] * (1 - a));
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    const grounds = [];
    for (let at = element; at; at = at.parentElement) grounds.unshift(parse(getComputedStyle(at).backgroundColor));
    return grounds.reduce((under, ground) => over(ground, under), [255, 255, 255]);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const box = element.getBoundingClientRect();
    if (!text || !box.width || box.width < 2 || element.closest("button:disabled, .unseen, script, style")) continue;
    if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    const ground = groundOf(element);
    const ink = over(parse(getComputedStyle(element).color), ground);
    const [one, other] = [light(ink), light(ground)].sort((a, b) => b - a);
    found.push({ text: text.slice(0, 40), ratio: (one + 0.05) / (other + 0.05) });
  }
  return found;
}"""

NAMELESS = r"""() => [...document.querySelectorAll(
    "button, input, textarea, select, dialog, img:not([alt='']), [role=button], a")]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    const by = one.getAttribute("aria-labelledby");
    const name = one.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent)
      || [...(one.labels || [])].map((label) => label.textContent).join("") || one.getAttribute("alt")
      || (one.tagName === "BUTTON" ? one.textContent : "");
    return !name || !name.trim();
  })
  .map((one) => one.outerHTML.slice(0, 200))"""

TOO_WIDE = r"""() => {
  // A line that ends in "…" cuts what it holds by intent; the line itself is looked at.
  const isCut = (one) => one && (getComputedStyle(one).textOverflow === "ellipsis" || isCut(one.parentElement));
  const wide = [...document.querySelectorAll("body *")].filter((one) => {
    const box = one.getBoundingClientRect();
    return one.checkVisibility() && box.width > 1 && (box.right > innerWidth + 1 || box.left < -1)
      && !one.closest(".unseen, [aria-hidden=true]") && !isCut(one.parentElement);
  }).map((one) => one.outerHTML.slice(0, 120));
  return document.documentElement.scrollWidth > innerWidth || wide.length ? wide.concat(["(the page)"]) : [];
}"""


def check_screen(page: Page, *, phone: bool = False) -> None:
    """What must be true of every screen, when its colours have changed."""
    assert page.evaluate(NAMELESS) == []
    pale = [each for each in page.evaluate(CONTRASTS) if each["ratio"] < CONTRAST_MIN]
    assert pale == []
    if phone:
        assert page.evaluate(TOO_WIDE) == []


def focused(page: Page) -> Any:
    return page.evaluate(
        "document.activeElement.labels?.[0]?.textContent || document.activeElement.getAttribute('aria-label')"
        " || document.activeElement.textContent"
    )


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(40):
        if focused(page) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {name!r}; it is at {focused(page)!r}")


def test_the_first_run_and_a_text_without_a_mouse(people: People) -> None:
    bob = people.registered("bob")
    alice = people.someone(people.world.name("alice"))
    alice.start_new()
    page = alice.look()
    alice.wait_until("the first button has the focus", lambda: focused(page) == "Choose a name")
    check_screen(page)
    page.keyboard.press("Enter")
    alice.wait_until("the cursor is where the name goes", lambda: focused(page) == "Name")
    check_screen(page)
    page.keyboard.type(alice.home)
    expect(page.get_by_text("is free.")).to_be_visible()
    page.keyboard.press("Enter")
    alice.wait_until("the cursor is in the passphrase", lambda: focused(page) == "Passphrase")
    check_screen(page)
    page.keyboard.type("correct horse battery")
    tab_to(page, "Repeat the passphrase")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    words = alice.words_shown()
    check_screen(page)
    tab_to(page, "I have written them down")
    page.keyboard.press("Enter")
    fields = page.locator(".field")
    expect(fields).to_have_count(2)
    check_screen(page)
    for label in fields.locator("label").all_inner_texts():
        tab_to(page, label)
        page.keyboard.type(words[int(label.split()[1]) - 1])
    tab_to(page, "Register")
    page.keyboard.press("Space")
    alice.wait_online()
    page.keyboard.press("Alt+n")
    expect(alice.dialog).to_be_visible()
    alice.wait_until("the cursor is where the name goes", lambda: focused(page) == "Name or link")
    page.keyboard.type(bob.home)
    page.keyboard.press("Enter")
    alice.wait_until("the cursor is where one writes", lambda: focused(page) == f"Write to {bob.home}")
    page.keyboard.type("by keys alone")
    page.keyboard.press("Enter")
    alice.expect_state("by keys alone", "Accepted by the node")
    check_screen(page)
    page.keyboard.press("Control+k")
    alice.wait_until("the cursor is in the search", lambda: focused(page) == "Search people and texts")
    page.keyboard.type("keys")
    expect(page.get_by_role("region", name="Texts", exact=True).get_by_role("button")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("li.text.is-found")).to_have_count(1)
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    tab_to(page, "Settings")
    page.keyboard.press("Enter")
    expect(alice.dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(alice.dialog).to_have_count(0)
    alice.wait_until("the focus is back", lambda: focused(page) == "Settings")


@pytest.fixture(scope="module")
def pair(company: People) -> tuple[Someone, Someone]:
    alice, bob = company.pair()
    alice.write("a text of mine with https://" + "very-long-" * 20 + ".example")
    bob.write("a text of theirs")
    alice.expect_text("a text of theirs")
    bob.wait_until("it came", lambda: len(bob.lines()) == 2)
    return alice, bob


OF_THE_LIST = ("Find someone", "Settings", re.compile("^Your link"))
DIALOGS = (*OF_THE_LIST, "Confirmed by the node")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("theme", ["Same as system", "Light", "Dark"])
def test_light_and_dark_can_be_read(people: People, pair: tuple[Someone, Someone], colours: Any, theme: str) -> None:
    alice, _ = pair
    alice.page.emulate_media(color_scheme=colours)
    alice.settings("Appearance").get_by_label(theme).check()
    wanted = colours if theme == "Same as system" else theme.lower()
    expect(alice.dialog).to_be_visible()
    alice.wait_until(
        "the ground has the colour",
        lambda: (
            alice.page.evaluate(
                "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3)"
                ".every((part) => part < 100)"
            )
            == (wanted == "dark")
        ),
    )
    check_screen(alice.page)
    alice.page.keyboard.press("Escape")
    expect(alice.dialog).to_have_count(0)
    check_screen(alice.page)


@pytest.mark.parametrize("dialog", DIALOGS)
def test_every_dialog_has_names_and_fits_a_phone(people: People, pair: tuple[Someone, Someone], dialog: Any) -> None:
    alice, bob = pair
    bob.page.reload()
    bob.turn_to(alice.home)  # a phone that went back to the list has closed the conversation
    for size in ({"width": 1000, "height": 720}, PHONE):
        bob.page.set_viewport_size(size)  # type: ignore[arg-type]
        if size is PHONE and dialog in OF_THE_LIST:
            bob.press("Back to the list")
        bob.button(dialog).first.click()
        expect(bob.dialog).to_be_visible()
        check_screen(bob.page, phone=size is PHONE)
        assert bob.dialog.evaluate("one => one.contains(document.activeElement)")
        bob.page.keyboard.press("Escape")
        expect(bob.dialog).to_have_count(0)
    bob.page.set_viewport_size({"width": 1000, "height": 720})


def test_on_a_phone_one_pane_at_a_time(people: People) -> None:
    alice, bob = people.pair()
    alice.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    expect(alice.box).to_be_visible()
    expect(alice.entry(bob.home)).to_be_hidden()
    alice.write("x" * 300)
    alice.write("from a phone")
    check_screen(alice.page, phone=True)
    alice.press("Back to the list")
    expect(alice.entry(bob.home)).to_be_visible()
    expect(alice.box).to_be_hidden()
    check_screen(alice.page, phone=True)
    alice.entry(bob.home).click()
    expect(alice.box).to_be_visible()
    bob.write("to a phone")
    alice.expect_text("to a phone")


def test_the_first_run_on_a_phone(people: People) -> None:
    person = people.someone(people.world.name("phoebe"))
    person.start_new()
    page = person.look(viewport=PHONE)
    person.button("Choose a name").wait_for()
    check_screen(page, phone=True)
    person.press("I have recovery words")
    expect(page.get_by_role("heading", name="Restore your name")).to_be_visible()
    check_screen(page, phone=True)
    person.press("Back")
    expect(page.get_by_role("heading", name="Choose a name")).to_be_visible()
    person.choose_name()
    expect(page.get_by_role("heading", name="Choose a passphrase")).to_be_visible()
    check_screen(page, phone=True)
    words = person.choose_passphrase("correct horse battery")
    check_screen(page, phone=True)
    person.give_back(words)
    person.wait_online()
    check_screen(page, phone=True)


def test_a_screen_reader_is_told_of_news_and_of_states(people: People) -> None:
    alice, bob = people.pair()
    log = alice.page.get_by_role("log")
    assert log.get_attribute("aria-live") == "polite"
    bob.write("say this aloud")
    expect(log).to_contain_text(f"{bob.home}: say this aloud")
    carol = people.registered("carol")
    carol.find(alice.home)
    carol.write("never aloud before she is accepted")
    expect(log).to_contain_text("A new request")
    expect(log).not_to_contain_text("never aloud")
    alice.expect_text("say this aloud")
    snapshot = alice.page.get_by_role("region", name=f"Texts with {bob.home}").aria_snapshot()
    assert "say this aloud" in snapshot
    expect(alice.page.get_by_role("main")).to_have_count(1)
    expect(alice.page.get_by_role("navigation", name="People")).to_be_visible()
    assert alice.page.locator("html").get_attribute("lang") == "en"
