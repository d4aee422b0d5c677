"""Trust, as a page shows it: safety numbers, links, and an identity that changed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.helpers.browser_people import People, Someone

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def number_of(person: Someone) -> str:
    """The safety number in the open dialog: sixty digits."""
    groups = person.dialog.get_by_label("Safety number").locator("span")
    expect(groups).to_have_count(12)
    digits = "".join(groups.all_inner_texts())
    assert re.fullmatch(r"[0-9]{60}", digits)
    return digits


def close(person: Someone) -> None:
    person.page.keyboard.press("Escape")
    expect(person.dialog).to_have_count(0)


def test_a_typed_number_verifies_if_it_is_the_same(people: People) -> None:
    alice, bob = people.pair()
    bob.press("Confirmed by the node")
    theirs = number_of(bob)
    close(bob)
    alice.press("Confirmed by the node")
    assert number_of(alice) == theirs
    wrong = theirs[:30] + str((int(theirs[30]) + 1) % 10) + theirs[31:]
    field = alice.dialog.get_by_label(f"What does {bob.home} see?")
    for typed in (theirs[:-1], "hello", "12345"):
        field.fill(typed)
        field.press("Enter")
        expect(alice.dialog.get_by_text("isn’t a safety number")).to_be_visible()
    field.fill("")
    expect(alice.button("Compare", alice.dialog)).to_be_disabled()
    expect(alice.button("They are the same")).to_be_enabled()
    field.fill(wrong)
    alice.button("Compare", alice.dialog).click()
    expect(alice.dialog.get_by_text("another number")).to_be_visible()
    expect(alice.button("They are the same")).to_be_disabled()  # not one press away
    expect(trust(alice, "Confirmed by the node")).to_have_count(1)
    for typed in (" ".join(theirs[at : at + 5] for at in range(0, 60, 5)), f"usernym-safety:{theirs}"):
        field.fill(typed)
        field.press("Enter")
        expect(alice.dialog.get_by_text("The same number")).to_be_visible()
        expect(trust(alice, "Verified")).to_have_count(1)
        expect(trust(bob, "Confirmed by the node")).to_be_visible()  # a word of one's own
        alice.press("Remove verification")
        expect(alice.dialog).to_have_count(0)
        expect(trust(alice, "Confirmed by the node")).to_be_visible()
        trust(alice, "Confirmed by the node").click()
    close(alice)


def trust(person: Someone, words: str) -> Locator:
    """What the conversation's header says of trust."""
    return person.page.locator(".trust-button", has_text=words)


def test_a_friends_link_verifies_and_a_tampered_one_does_nothing(people: People) -> None:
    alice, bob = (people.registered(stem) for stem in ("alice", "bob"))
    bob.button(f"Your link, {bob.home}").click()
    link = str(bob.dialog.get_by_text("usernym:").inner_text())
    assert link.startswith("usernym:")
    close(bob)
    tampered = link[:-1] + ("a" if link[-1] != "a" else "b")
    alice.find(tampered)
    said = alice.dialog.locator(".field-said.is-bad")
    expect(said).not_to_have_text("")
    expect(alice.button("Find")).to_be_enabled()
    close(alice)
    expect(alice.entry(bob.home).locator(".mark-of-trust")).to_have_count(0)
    alice.find(link)
    expect(trust(alice, "Verified")).to_be_visible()
    expect(alice.entry(bob.home).locator(".mark-of-trust")).to_have_text("Verified")


def test_a_changed_identity_stops_texts_until_it_was_looked_at(people: People) -> None:
    world = people.world
    alice_name, bob_name = world.name("alice"), world.name("bob")
    world.register(alice_name)
    words = world.register(bob_name)
    world.acquaint(alice_name, bob_name)
    alice, bob = (people.someone(name).begin() for name in (alice_name, bob_name))
    alice.turn_to(bob_name)
    bob.turn_to(alice_name)
    alice.press("Confirmed by the node")
    before = number_of(alice)
    alice.press("They are the same")
    expect(trust(alice, "Verified")).to_be_visible()
    alice.write("before")
    bob.expect_text("before")

    bob.settings("My machine was stolen")
    field = bob.dialog.get_by_label("Recovery words")
    field.fill("not the words at all")
    bob.press("Replace my identity")
    expect(bob.dialog.locator(".is-bad", has_text="words").first).to_be_visible()
    field.fill(words.upper())
    bob.press("Replace my identity")
    expect(bob.dialog.get_by_text("Your identity is replaced.")).to_be_visible()
    expect(field).to_have_value("")
    close(bob)
    bob.wait_online()

    # What alice writes to the former key is not sent to the new one unasked. (It tells her client that there is one.)
    alice.write("to whom?")
    expect(trust(alice, "Identity changed")).to_be_visible()
    expect(alice.box).to_have_count(0)
    expect(alice.page.get_by_role("alert").filter(has_text="identity has changed")).to_be_visible()
    expect(alice.entry(bob_name).locator(".mark-of-trust")).to_have_text("Identity changed")
    alice.expect_state("to whom?", re.compile("Waiting here"))
    bob.write("it is me")
    alice.expect_text("it is me")  # so whatever alice had sent before would have come
    expect(bob.line("to whom?")).to_have_count(0)
    alice.page.reload()
    alice.turn_to(bob_name)
    expect(alice.page.get_by_role("alert").filter(has_text="identity has changed")).to_be_visible()
    expect(alice.box).to_have_count(0)  # a reload is no look

    alice.press("Compare safety numbers")
    after = number_of(alice)
    assert after != before
    bob.press("Confirmed by the node")
    assert number_of(bob) == after
    close(bob)
    alice.button("Continue without comparing", alice.dialog).click()
    expect(trust(alice, "Confirmed by the node")).to_be_visible()  # and not verified any more
    alice.expect_state("to whom?", "Delivered")
    bob.expect_text("to whom?")
    expect(alice.box).to_be_enabled()
