"""Requests: accepted, declined, blocked, and undone; and what the stranger sees of all that, which is nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.helpers.browser_people import People, Someone

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def all_that_is_said(person: Someone, peer: str) -> str:
    """The text of a stranger's whole page, without names and times."""
    text = person.page.locator("body").inner_text()
    text = re.sub(r"\b[0-9]{2}:[0-9]{2}\b", "TIME", text)
    text = re.sub(r"^[A-Z]{2}$", "INITIALS", text, flags=re.MULTILINE)
    return text.replace(peer, "PEER").replace(person.home, "ME")


@pytest.mark.parametrize("decision", ["Decline", "Block"])
def test_a_stranger_sees_no_difference(people: People, decision: str) -> None:
    bob, open_minded, stranger, other = (people.registered(stem) for stem in ("bob", "olga", "mallory", "trent"))
    for writer, reader in ((stranger, bob), (other, open_minded)):
        writer.find(reader.home)
        writer.write("hello")
        writer.expect_state("hello", "Accepted by the node")
        expect(reader.entry(writer.home)).to_be_visible()
    expect(bob.page.get_by_role("heading", name="1 request")).to_be_visible()
    bob.turn_to(stranger.home)
    expect(bob.box).to_have_count(0)
    expect(bob.page.get_by_text("Accept the request to answer it.")).to_be_visible()
    bob.press(decision)
    expect(bob.page.get_by_text("They do not learn that.")).to_be_visible()
    expect(bob.entry(stranger.home)).to_have_count(0)
    for writer in (stranger, other):  # the one was refused, the other's request waits
        writer.write("are you there?")
        writer.expect_state("are you there?", "Accepted by the node")
        writer.page.reload()
    for writer, reader in ((stranger, bob), (other, open_minded)):
        writer.wait_online()
        writer.turn_to(reader.home)
        last = writer.entry(reader.home).locator(".line-last")
        expect(last).to_have_text("Accepted by the nodeare you there?")
    assert all_that_is_said(stranger, bob.home) == all_that_is_said(other, open_minded.home)

    bob.press("Declined and blocked (1)")
    bob.turn_to(stranger.home)
    expect(
        bob.page.get_by_text(f"You have {'declined' if decision == 'Decline' else 'blocked'} {stranger.home}.")
    ).to_be_visible()
    bob.press("Accept after all")
    bob.button("Contacts", bob.page.locator(".lists")).click()
    expect(bob.entry(stranger.home)).to_be_visible()
    stranger.write("now?")
    stranger.expect_state("now?", "Delivered")
    bob.turn_to(stranger.home)
    bob.expect_text("now?")
    texts = [line.text for line in bob.lines()]
    assert texts == (["hello", "are you there?", "now?"] if decision == "Decline" else ["hello", "now?"])
    expect(bob.box).to_be_enabled()


def test_a_request_that_is_accepted(people: People) -> None:
    bob, stranger = (people.registered(stem) for stem in ("bob", "eve"))
    stranger.find(bob.home)
    stranger.write("hello")
    expect(bob.entry(stranger.home)).to_contain_text("hello")
    expect(bob.page).to_have_title("(1) usernym")  # a request is news, too
    bob.turn_to(stranger.home)
    expect(bob.page.get_by_text("is not one of your contacts")).to_be_visible()
    expect(bob.page.get_by_text("They do not learn what you choose")).to_be_visible()
    bob.press("Accept")
    expect(bob.box).to_be_enabled()
    expect(bob.page.get_by_role("heading", name="1 request")).to_have_count(0)
    bob.write("welcome")
    stranger.expect_text("welcome")
    stranger.expect_state("hello", "Accepted by the node")
    stranger.write("thanks")
    stranger.expect_state("thanks", "Delivered")
