"""What the page says is so: about trust, the connection, passphrases, and what a browser does not let it do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import LOST, Chromium
from tests.helpers.page_scenes import full_account
from tests.helpers.page_stage import NUMBER, WORDS, Stage
from tests.helpers.page_window import PageWindow
from usernym.chat.requests import ConfirmVerifiedAsk, CreateAccountAsk, RegisterNameAsk, SendAsk
from usernym.chat.wire import ArrivedWire, ConnectionWire, HomeWire, Problem

pytestmark = [pytest.mark.browser, pytest.mark.seconds]
STORES_NOTHING = (
    "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
)
NOTIFICATIONS = """
    window.shown = [];
    window.Notification = class {
      static permission = "granted";
      static requestPermission = async () => "granted";
      constructor(title, more) { window.shown.push(title + "|" + more.body); }
      close() {}
    };
    document.hasFocus = () => false;
"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(full_account()) as stage:
        yield stage


@pytest.fixture
def window(stage: Stage, chromium: Chromium) -> PageWindow:
    return PageWindow(stage, chromium)


def open_number(window: PageWindow) -> None:
    window.open("li_wei")
    window.page.locator(".trust-button").click()
    expect(window.dialog.locator(".digits")).to_have_text(NUMBER.replace(" ", ""))


def compare(window: PageWindow, seen: str) -> None:
    window.page.get_by_label("What does li_wei see?").fill(seen)
    window.page.keyboard.press("Enter")


def test_what_is_not_sixty_digits_is_no_number_and_accuses_no_one(window: PageWindow) -> None:
    open_number(window)
    for seen in ("hello", "12345", NUMBER[:-6]):
        compare(window, seen)
        expect(window.dialog).to_contain_text("This isn’t a safety number")
        expect(window.dialog).not_to_contain_text("someone is between you")
        expect(window.button("They are the same")).to_be_enabled()


def test_the_scanned_form_and_the_typed_number_verify(window: PageWindow) -> None:
    open_number(window)
    compare(window, "usernym-safety:" + NUMBER.replace(" ", ""))
    expect(window.dialog).to_contain_text("The same number: li_wei is verified.")
    expect(window.page.locator(".trust-button")).to_have_text("Verified")


def test_after_another_number_verified_is_never_one_press_away(window: PageWindow, stage: Stage) -> None:
    open_number(window)
    compare(window, "7" * 60)
    expect(window.dialog).to_contain_text("someone is between you: do not write.")
    same = window.button("They are the same")
    expect(same).to_be_disabled()
    window.dialog.get_by_text("I compared again").click()
    same.click()
    expect(window.dialog).to_have_count(0)
    (ask,) = [ask for ask in stage.account.sent if isinstance(ask, ConfirmVerifiedAsk)]
    assert ask.although_differed


def test_a_lookup_says_what_the_node_learns(window: PageWindow) -> None:
    window.press("Find someone")
    expect(window.dialog).to_contain_text(
        "The node learns that this name was asked for, and over a nym-client that you asked."
    )
    window.page.get_by_label("Name or link").fill("nonesuch")
    window.page.keyboard.press("Enter")
    expect(window.dialog).to_contain_text("No one has this name.")


def test_the_end_of_the_program_empties_the_window(window: PageWindow, stage: Stage) -> None:
    window.open("amara")
    expect(window.page).to_have_title("(3) usernym")
    with window.watch.allowing(LOST):
        stage.end()
        expect(window.page.get_by_role("heading", name="usernym has ended")).to_be_visible()
    assert "amara" not in window.page.content()
    assert "market" not in window.page.content()
    expect(window.page).to_have_title("usernym")


def test_a_used_address_says_that_someone_else_may_have_used_it(stage: Stage, chromium: Chromium) -> None:
    first, second = PageWindow(stage, chromium), PageWindow(stage, chromium)
    for window in (first, second):
        window.page.locator("[data-name=amara]").wait_for()
    second.page.goto(f"http://{stage.host}/#used-before")
    second.page.reload()
    second.page.locator("[data-name=amara]").wait_for()  # it has written down what it keeps
    second.page.evaluate("localStorage.clear()")
    second.page.reload()
    expect(second.page.get_by_role("heading", name="Open a new address")).to_be_visible()
    expect(second.page.get_by_text("another user of this machine may have opened it first")).to_be_visible()
    assert "amara" not in second.page.content()


def test_a_socket_whose_end_no_one_confirms_is_left(stage: Stage, chromium: Chromium) -> None:
    """It has neither closed nor is it open: the page was connected for its eyes only, and stored no text."""
    script = """
        const Real = window.WebSocket;
        window.WebSocket = class extends Real {
          constructor(url) { super(url); window.socket = this; }
          get readyState() { return this.isStuck ? Real.CLOSING : super.readyState; }
          close() { this.isStuck = true; }
        };"""
    window = PageWindow(stage, chromium, script)
    window.page.locator("[data-name=amara]").click()
    box = window.page.locator(".composer textarea")
    box.wait_for()
    window.page.evaluate("window.socket.close()")
    box.fill("through another socket")
    box.press("Enter")
    expect(box).to_have_value("")
    expect(window.page.locator(".connection")).to_have_text("Connected")
    stage.wait_for(lambda: any(isinstance(ask, SendAsk) for ask in stage.account.sent))


def test_a_dead_socket_is_never_shown_as_connected(stage: Stage, chromium: Chromium) -> None:
    script = """
        const Real = window.WebSocket;
        window.WebSocket = class extends Real {
          constructor(url) { super(window.cut ? "ws://" + location.host + "/gone" : url); window.socket = this; }
        };"""
    window = PageWindow(stage, chromium, script)
    shown = window.page.locator(".connection")
    expect(shown).to_have_text("Connected")
    with window.watch.allowing(re.compile("WebSocket|403|404")):
        window.page.evaluate("window.cut = true; window.socket.close()")
        expect(shown).to_have_text("Program not reached")
        expect(window.page.get_by_text("The program on this machine is not reached.")).to_be_visible()
        window.page.evaluate("window.cut = false")
        expect(shown).to_have_text("Connected")
    expect(window.page.locator("[data-name=amara]")).to_be_visible()
    chromium.take_problems()


def test_a_program_that_hangs_is_not_shown_as_connected(stage: Stage, chromium: Chromium) -> None:
    script = """
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (frame) {
          if (window.hangs) window.held = () => send.call(this, frame);
          else send.call(this, frame);
        };"""
    window = PageWindow(stage, chromium, script)
    shown = window.page.locator(".connection")
    expect(shown).to_have_text("Connected")
    window.context.clock.install()
    window.page.reload()
    expect(shown).to_have_text("Connected")
    window.page.evaluate("window.hangs = true")
    window.page.clock.run_for(20_000)  # it asks every ten seconds
    expect(shown).to_have_text("Program not reached")
    window.page.evaluate("window.hangs = false; window.held()")
    expect(shown).to_have_text("Connected")


def test_why_it_is_offline_is_said(window: PageWindow, stage: Stage) -> None:
    expect(window.page.locator(".connection")).to_have_text("Connected")
    stage.push(ConnectionWire(state="offline", problem=Problem("no_answer")))
    expect(window.page.locator(".connection")).to_have_text("Not connected")
    expect(window.page.get_by_text("Not connected: The node does not respond.")).to_be_visible()
    stage.push(ConnectionWire(state="connecting"))
    expect(window.page.locator(".connection")).to_have_text("Connecting …")


@pytest.mark.parametrize("screen", ["new", "locked", "main"])
def test_the_emulator_is_named_on_every_screen(stage: Stage, chromium: Chromium, screen: str) -> None:
    stage.account.home = HomeWire(screen=screen, name="maya", emulated=True)  # type: ignore[arg-type]
    window = PageWindow(stage, chromium)
    chip = window.page.locator(".chip")
    expect(chip).to_contain_text("Test network")
    expect(chip).to_have_attribute("title", re.compile("gives no anonymity"))


def test_the_title_counts_requests_too(window: PageWindow) -> None:
    unread, requests = 2, 1  # three more are of someone who is muted
    expect(window.page).to_have_title(f"({unread + requests}) usernym")


def test_a_browser_that_stores_nothing_works_and_says_what_to_allow(stage: Stage, chromium: Chromium) -> None:
    window = PageWindow(stage, chromium, STORES_NOTHING)
    window.open("amara")
    expect(
        window.page.get_by_text("This browser stores nothing for this page: a reload needs a new address.")
    ).to_be_visible()
    window.page.reload()
    expect(window.page.get_by_role("heading", name="Open a new address")).to_be_visible()
    expect(window.page.get_by_text("Allow site data for this address, or open a new address")).to_be_visible()


def test_another_time_zone_is_right_at_once(stage: Stage, chromium: Chromium) -> None:
    window = PageWindow(stage, chromium, timezone_id=None)
    window.open("amara")
    time = window.text("have a look tonight").locator("time").first
    devtools = window.context.new_cdp_session(window.page)

    def move_to(zone: str) -> None:
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": ""})
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
        window.page.evaluate("window.dispatchEvent(new Event('focus'))")

    move_to("UTC")
    before = time.inner_text()
    move_to("Asia/Kolkata")
    minutes = (int(before[:2]) * 60 + int(before[3:]) + 330) % 1440
    expect(time).to_have_text(f"{minutes // 60:02}:{minutes % 60:02}")


def test_notifications_are_chosen_and_name_no_one(stage: Stage, chromium: Chromium) -> None:
    window = PageWindow(stage, chromium, NOTIFICATIONS)
    window.page.locator("[data-name=amara]").wait_for()
    stage.push(ArrivedWire(name="amara", row=1, request=False, muted=False))
    expect(window.page.get_by_role("log")).to_contain_text("A text from amara")
    assert window.page.evaluate("window.shown") == []
    window.press("Settings")
    window.press("Notifications and sound")
    window.page.get_by_role("checkbox", name="Notifications").check()
    window.page.keyboard.press("Escape")
    stage.push(ArrivedWire(name="noor", row=2, request=False, muted=True))
    stage.push(ArrivedWire(name="amara", row=3, request=False, muted=False))
    stage.push(ArrivedWire(name="rosalind", row=4, request=True, muted=False))
    expect(window.page.get_by_role("log")).to_contain_text("A new request")
    assert window.page.evaluate("window.shown") == ["usernym|A new text", "usernym|A new request"]


def test_passphrases_have_one_rule(stage: Stage, chromium: Chromium) -> None:
    stage.account.home = HomeWire(screen="new", name="maya")
    window = PageWindow(stage, chromium)
    page = window.page
    window.press("Choose a name")
    expect(page.get_by_text("maya is free.")).to_be_visible()
    page.keyboard.press("Enter")
    first, again = page.get_by_label("Passphrase", exact=True), page.get_by_label("Repeat the passphrase")
    first.fill("short")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Please use at least")).to_be_visible()
    first.fill("long enough for anyone")
    again.fill("long enough for someone")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The two passphrases differ.")).to_be_visible()
    window.press("Show the passphrase")
    expect(again).to_have_count(0)
    expect(first).to_have_attribute("type", "text")
    first.press("Enter")
    expect(window.button("Continue")).to_be_enabled()
    stage.wait_for(lambda: any(isinstance(ask, CreateAccountAsk) for ask in stage.account.sent))
    (ask,) = [ask for ask in stage.account.sent if isinstance(ask, CreateAccountAsk)]
    assert ask.passphrase == "long enough for anyone"


def test_every_wrong_recovery_word_is_marked_and_enter_registers(stage: Stage, chromium: Chromium) -> None:
    stage.account.home = HomeWire(screen="unregistered", has_words=True, name="maya")
    window = PageWindow(stage, chromium)
    page = window.page
    expect(page.locator(".words li")).to_have_text(WORDS)
    page.reload()
    window.press("I have written them down")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not that word.")).to_have_count(2)
    for field in page.locator(".field").all():
        field.locator("input").fill(WORDS[int(field.locator("label").inner_text().split()[1]) - 1])
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not that word.")).to_have_count(0)
    stage.wait_for(lambda: any(isinstance(ask, RegisterNameAsk) for ask in stage.account.sent))
    page.wait_for_timeout(200)  # and not once more
    assert [type(ask) for ask in stage.account.sent].count(RegisterNameAsk) == 1


def test_the_words_can_be_printed_and_taken_as_a_file(stage: Stage, chromium: Chromium) -> None:
    stage.account.home = HomeWire(screen="unregistered", has_words=True, name="maya")
    window = PageWindow(stage, chromium)
    with window.page.expect_download() as taken:
        window.press("Download")
    assert taken.value.suggested_filename == "usernym-maya-recovery-words.txt"
    content = taken.value.path().read_text()
    assert content.startswith("Recovery words of maya")
    assert "12. breeze" in content
    window.page.emulate_media(media="print")
    expect(window.page.get_by_role("heading", name="Recovery words of maya")).to_be_visible()
    expect(window.page.get_by_text("I have written them down")).to_be_hidden()
