"""Nothing is lost and nothing twice: programs killed, windows reloaded, networks gone, in the middle of it all."""

from __future__ import annotations

import sys

import pytest
from playwright.sync_api import expect

from tests.helpers.browser_people import People, Someone, chooser

pytestmark = [pytest.mark.browser, pytest.mark.processes]

CUT = "window.sockets.forEach((socket) => socket.close())"
"""What a network that goes looks like to the page: its websocket ends, without notice to anyone."""
KEEP_SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...all) { super(...all); window.sockets.push(this); }
};
"""


def same_everywhere(writer: Someone, reader: Someone, texts: list[str]) -> None:
    """All of these texts end up delivered, each once, on both pages."""
    for text in texts:
        reader.expect_text(text)
        writer.expect_state(text, "Delivered")
    wrote = [line.text for line in writer.lines() if line.mine]
    came = [line.text for line in reader.lines() if not line.mine]
    assert wrote == texts
    assert sorted(came) == sorted(texts)  # what the mixnet let overtake stands where it came, and says so


def test_the_node_is_killed_and_comes_back(people: People) -> None:
    alice, bob = people.pair()
    alice.write("before")
    alice.expect_state("before", "Delivered")
    people.world.kill_node()
    try:
        for number in range(5):
            alice.write(f"in the dark {number}")
            bob.write(f"dark here too {number}")
        for number in range(5):
            alice.expect_state(f"in the dark {number}", "Waiting here")
            bob.expect_state(f"dark here too {number}", "Waiting here")
        alice.page.reload()
        expect(alice.line("in the dark 4")).to_have_count(1)
    finally:
        people.world.start_node()
    for person in (alice, bob):  # as someone would who does not want to wait for the next try
        for line in person.lines():
            if line.state == "Waiting here":
                person.page.locator(f"li.text[data-row='{line.row}']").press("Enter")
                again = person.page.get_by_role("menuitem", name="Try now")
                if again.count():
                    again.click()
                else:
                    person.page.keyboard.press("Escape")
    same_everywhere(alice, bob, ["before", *(f"in the dark {number}" for number in range(5))])
    same_everywhere(bob, alice, [f"dark here too {number}" for number in range(5)])


def test_reloading_in_mid_send_loses_nothing_and_doubles_nothing(people: People) -> None:
    alice, bob = people.pair()
    chance, again = chooser("reloads in mid-send")
    sent: list[str] = []
    try:
        for number in range(25):
            text = f"reload {number}"
            alice.box.fill(text)
            alice.box.press("Enter")
            # From before the page could say anything to after it is all done.
            alice.page.evaluate("ms => new Promise((go) => setTimeout(go, ms))", chance.choice([0, 1, 3, 10, 30, 80]))
            alice.page.reload(wait_until="commit")
            expect(alice.box).to_be_enabled()
            # In the conversation, or in the box still: then the press never left this machine's browser.
            alice.wait_until(
                f"{text!r} is in the conversation, or in the box",
                lambda text=text: alice.line(text).count() > 0 or alice.box.input_value() == text,  # type: ignore[misc]
            )
            if alice.line(text).count() == 0:
                alice.box.press("Enter")
            expect(alice.line(text)).to_have_count(1)
            sent.append(text)
        same_everywhere(alice, bob, sent)
    except BaseException:
        sys.stdout.write(f"\n{again}\n")
        raise


def test_the_network_between_browser_and_program_goes_and_comes(people: People) -> None:
    alice, bob = people.pair()
    alice.write("first")
    alice.context.add_init_script(KEEP_SOCKETS)
    alice.page.reload()
    alice.wait_online()
    expect(alice.box).to_be_visible()  # the conversation that was open is open again
    with alice.cut_off():
        for number in range(4):
            alice.context.set_offline(True)
            alice.page.evaluate(CUT)
            alice.box.fill(f"offline {number}")
            alice.box.press("Enter")
            bob.write(f"meanwhile {number}")
            expect(alice.box).to_have_value(f"offline {number}")  # nothing is called sent that is not
            expect(alice.page.locator(".connection")).to_have_text("Program not reached")
            alice.context.set_offline(False)
            expect(alice.line(f"offline {number}")).to_have_count(1)
            expect(alice.box).to_have_value("")
            alice.expect_text(f"meanwhile {number}")
    same_everywhere(alice, bob, ["first", *(f"offline {number}" for number in range(4))])
    same_everywhere(bob, alice, [f"meanwhile {number}" for number in range(4)])


def test_the_program_is_killed_in_mid_send(people: People) -> None:
    alice, bob = people.pair()
    chance, again = chooser("kills in mid-send")
    kept: list[str] = []
    try:
        for number in range(3):
            for part in range(3):
                alice.write(f"safe {number}.{part}")
                kept.append(f"safe {number}.{part}")
            text = f"last words {number}"
            alice.box.fill(text)
            alice.box.press("Enter")
            alice.page.evaluate("ms => new Promise((go) => setTimeout(go, ms))", chance.choice([0, 2, 5, 10, 20, 40]))
            alice.kill()
            called_sent = alice.box.input_value() == "" and alice.page.locator("li.is-storing").count() == 0
            alice.start()
            with alice.cut_off():
                alice.look_again()
                alice.wait_online()
                alice.turn_to(bob.home)
                expect(alice.line(kept[-1])).to_have_count(1)
            stored = alice.line(text).count() == 1
            assert stored or not called_sent, "a text that was called stored is gone"
            if stored:
                kept.append(text)
        same_everywhere(alice, bob, kept)
    except BaseException:
        sys.stdout.write(f"\n{again}\n")
        raise


def test_what_is_typed_while_the_program_is_slow_goes_to_nobody_else(people: People) -> None:
    alice, bob = people.pair()
    carol = people.registered("carol")
    alice.find(carol.home)
    alice.turn_to(bob.home)
    alice.write("hello bob")
    with alice.stopped():
        alice.entry(bob.home).click()  # whose conversation is there already
        alice.box.click()
        alice.page.keyboard.type("for bob")
        alice.page.keyboard.press("Enter")
        alice.entry(carol.home).click()
        alice.page.keyboard.type("for carol")
    expect(alice.page.get_by_placeholder(f"Write to {carol.home}")).to_be_focused()
    alice.write("hello carol")
    alice.turn_to(bob.home)
    alice.expect_text("for bob")
    assert [line.text for line in alice.lines()] == ["hello bob", "for bob"]
    alice.turn_to(carol.home)
    alice.expect_text("hello carol")
    assert [line.text for line in alice.lines()] == ["hello carol"]


def test_two_windows_of_one_person(people: People) -> None:
    alice, bob = people.pair()
    first = alice.page
    second = alice.context.new_page()
    second.goto(f"http://{alice.host}/")  # the same profile has the key
    expect(second.locator(".connection")).to_have_text("Connected")
    windows = (first, second)

    def in_window(page: object) -> None:
        alice._page = page  # type: ignore[assignment]

    in_window(second)
    alice.turn_to(bob.home)
    alice.write("from the second")
    in_window(first)
    alice.expect_text("from the second")
    alice.write("from the first")
    in_window(second)
    alice.expect_text("from the first")
    bob.write("to both")
    for window in windows:
        in_window(window)
        alice.expect_text("to both")
        assert [line.text for line in alice.lines()] == ["from the second", "from the first", "to both"]

    # What is unread is unread in both, and what was seen in one has been seen.
    carol = people.registered("carol")
    carol.find(alice.home)
    carol.write("hello")
    for window in windows:
        in_window(window)
        expect(alice.entry(carol.home)).to_be_visible()
    in_window(first)
    alice.turn_to(carol.home)
    alice.press("Accept")
    in_window(second)
    expect(alice.entry(carol.home)).to_contain_text("hello")
    in_window(first)
    alice.turn_to(bob.home)
    second.bring_to_front()
    carol.write("and more")
    for window in windows:
        in_window(window)
        expect(alice.entry(carol.home).locator(".badge .unseen")).to_have_text("1 unread text")
        expect(window).to_have_title("(1) usernym")
    in_window(second)
    alice.turn_to(carol.home)
    alice.expect_text("and more")
    for window in windows:
        in_window(window)
        expect(alice.entry(carol.home).locator(".badge")).to_have_count(0)
        expect(window).to_have_title("usernym")

    # A draft that was left in one window waits in the other, and after a reload.
    in_window(second)
    alice.turn_to(bob.home)
    alice.box.press_sequentially("a draft")
    alice.turn_to(carol.home)
    expect(alice.box).to_have_value("")
    alice.turn_to(bob.home)
    expect(alice.box).to_have_value("a draft")
    second.reload()
    expect(alice.box).to_have_value("a draft")
    in_window(first)
    alice.turn_to(carol.home)
    alice.turn_to(bob.home)
    expect(alice.box).to_have_value("a draft")
    alice.box.press("Enter")
    expect(alice.box).to_have_value("")
    bob.expect_text("a draft")
    in_window(second)
    alice.expect_text("a draft")
    assert len(bob.lines()) == len(alice.lines())
