"""From nothing to a direct conversation, as two people see it; and what the first run refuses, and why."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.helpers.browser_people import People, Someone

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PASSPHRASE = "correct horse battery"


def said_by(field: Locator) -> str:
    """What the page shows about a field."""
    said = field.evaluate("box => document.getElementById(box.getAttribute('aria-describedby'))?.textContent || ''")
    return str(said)


def heading(person: Someone, text: str) -> Locator:
    """The title of the step."""
    return person.page.get_by_role("heading", name=text, exact=True)


def test_two_people_from_first_run_to_a_direct_conversation(people: People) -> None:
    alice, bob = (people.someone(people.world.name(stem)) for stem in ("alice", "bob"))
    for person in (alice, bob):
        person.start_new()
        person.look()
        assert len(set(person.first_run())) > 6

    alice.find(bob.home)
    expect(alice.page.get_by_role("heading", name=bob.home, level=1)).to_be_visible()
    alice.write("Hello Bob")
    alice.expect_state("Hello Bob", "Accepted by the node")
    expect(bob.page.get_by_role("heading", name="1 request")).to_be_visible()
    bob.turn_to(alice.home)
    bob.expect_text("Hello Bob")
    bob.press("Accept")
    bob.write("Hello Alice")
    alice.expect_text("Hello Alice")
    bob.expect_state("Hello Alice", "Delivered")

    alice.agree_on_a_direct_route(bob)
    alice.write("directly now")
    alice.expect_state("directly now", "Delivered")
    assert [alice.route_of(text) for text in ("Hello Bob", "directly now")] == ["Through the node", "Direct route"]
    bob.expect_text("directly now")
    bob.about(alice.home).get_by_role("button", name="Direct route").click()
    bob.press("End the direct route")
    expect(alice.about(bob.home)).to_contain_text("Ended by them")
    expect(bob.about(alice.home)).to_contain_text("Ended by you")
    bob.write("and by the node again")
    alice.expect_text("and by the node again")
    assert [line.text for line in alice.lines()] == [line.text for line in bob.lines()]


def test_names_are_judged_while_they_are_typed(people: People) -> None:
    world = people.world
    taken = world.name("wilfredo")
    world.register(taken)
    person = people.someone(world.name("newcomer"))
    person.start_new()
    page = person.look()
    person.begin_choosing()
    field, go_on = page.get_by_label("Name", exact=True), person.button("Continue")
    expect(go_on).to_be_disabled()
    for typed, why in (
        ("ab", "too short"),
        ("a" * 33, "too long"),
        ("älice", "Only a–z, 0–9 and _ are possible"),
        ("ali ce", "Only a–z, 0–9 and _ are possible"),
        ("1alice", "starts with a letter"),
        ("admin", "reserved"),
        ("adm1n", "reserved"),
        (taken, "is taken"),
        (taken.replace("o", "0").replace("l", "1"), "looks like one that is taken"),
        (taken.upper(), "is taken"),
    ):
        field.fill(typed)
        expect(page.locator(".field-said.is-bad")).to_have_text(re.compile(why))
        expect(go_on).to_be_disabled()
        assert field.get_attribute("aria-invalid") == "true"
        assert re.search(why, said_by(field))
        field.press("Enter")  # takes no name that is not free
    expect(heading(person, "Choose a name")).to_be_visible()
    field.fill(person.home.upper())
    expect(page.get_by_text(f"{person.home} is free.")).to_be_visible()
    expect(go_on).to_be_enabled()
    assert field.get_attribute("aria-invalid") is None


def test_passphrase_and_words_are_asked_for_until_they_fit(people: People) -> None:
    person = people.someone(people.world.name("carol"))
    person.start_new()
    page = person.look()
    person.choose_name()
    for first, again, why in (
        ("short", "short", "at least 8 characters"),
        (PASSPHRASE, "another one", "The two passphrases differ"),
    ):
        page.get_by_label("Passphrase", exact=True).fill(first)
        page.get_by_label("Repeat the passphrase").fill(again)
        person.press("Continue")
        expect(page.get_by_text(why)).to_be_visible()
    page.get_by_label("Repeat the passphrase").fill(PASSPHRASE)
    person.press("Continue")
    words = person.words_shown()
    person.press("I have written them down")
    fields = page.locator(".field")
    expect(fields).to_have_count(2)
    numbers = [int(label.split()[1]) for label in fields.locator("label").all_inner_texts()]
    fields.nth(0).locator("input").fill(words[numbers[0] - 1])
    fields.nth(1).locator("input").fill("zebra" if words[numbers[1] - 1] != "zebra" else "abandon")
    person.press("Register")
    expect(page.get_by_text("This is not that word.")).to_have_count(1)
    fields.nth(1).locator("input").fill(f" {words[numbers[1] - 1].upper()} ")
    person.press("Register")
    person.wait_online()

    person.stop()
    person.start()
    with person.cut_off():
        person.look_again()
        passphrase = page.get_by_label("Passphrase", exact=True)
        passphrase.fill("not that one")
        person.press("Open")
        expect(page.get_by_text("This is not the passphrase.")).to_be_visible()
        expect(person.button("Open")).to_be_enabled()
        passphrase.fill(PASSPHRASE)
        passphrase.press("Enter")
        person.wait_online()


def test_a_first_run_that_was_left_goes_on(people: People) -> None:
    person = people.someone(people.world.name("dora"))
    person.start_new()
    page = person.look()
    person.choose_name()
    person.choose_passphrase(PASSPHRASE)
    shown = person.words_shown()
    page.reload()
    assert person.words_shown() == shown  # until the name is registered, and while the program runs
    person.stop()
    person.start()
    with person.cut_off():
        person.look_again()
        page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
        person.press("Open")
        expect(heading(person, f"{person.home} is not registered yet")).to_be_visible()
        assert page.locator(".words li").count() == 0  # stored nowhere
    person.press("No: start over")
    person.first_run()


def test_the_name_that_was_taken_meanwhile(people: People) -> None:
    person = people.someone(people.world.name("erin"))
    person.start_new()
    page = person.look()
    person.choose_name()
    with people.world.client(person.home, home="faster") as faster:
        faster.register()
    page.get_by_label("Continue without a passphrase").check()
    person.press("Continue with no passphrase")
    person.give_back(person.words_shown())
    expect(page.get_by_role("alert").filter(has_text="is taken")).to_be_visible()
    person.press("Choose another name")
    person.first_run(people.world.name("erin"))
