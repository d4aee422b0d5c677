"""What a person does in the page: reading, writing, finding, with mouse, keyboard and finger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest
from playwright.sync_api import expect

from tests.helpers.browser import Chromium
from tests.helpers.page_scenes import full_account
from tests.helpers.page_stage import MINUTE, NOW, Account, Stage, contact, written_text
from tests.helpers.page_window import PageWindow
from usernym.chat.requests import DecideAsk, SaveDraftAsk, SendAsk, SetPersonalAsk
from usernym.chat.wire import ContactChangedWire, ContactGoneWire, ListsChangedWire, TextChangedWire, TextsGoneWire

pytestmark = [pytest.mark.browser, pytest.mark.seconds]

SOCKET_AT_HAND: Final = """
    const Real = window.WebSocket;
    window.WebSocket = class extends Real { constructor(url) { super(url); window.socket = this; } };
"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(full_account()) as stage:
        yield stage


@pytest.fixture
def window(stage: Stage, chromium: Chromium) -> PageWindow:
    return PageWindow(stage, chromium)


def asked(stage: Stage, kind: type[Any]) -> list[Any]:
    return [ask for ask in stage.account.sent if isinstance(ask, kind)]


def in_view(window: PageWindow) -> int:
    """Texts that can be read without scrolling."""
    count: int = window.page.evaluate(
        """() => {
            const view = document.querySelector(".texts").getBoundingClientRect();
            const inside = (box) => box.top >= view.top - 1 && box.bottom <= view.bottom + 1;
            const texts = [...document.querySelectorAll("li.text")];
            return texts.filter((text) => inside(text.getBoundingClientRect())).length;
        }"""
    )
    return count


def test_fifteen_texts_of_one_line_fit_into_800_pixels(chromium: Chromium) -> None:
    account = Account()
    texts = [
        written_text(row, f"One line, number {row}", (40 - row) * 2 * MINUTE, out=row % 3 == 0) for row in range(1, 40)
    ]
    account.add(contact("amara"), *texts)
    with Stage(account) as stage, PageWindow(stage, chromium) as window:
        window.open("amara")
        expect(window.text("number 39")).to_be_visible()
        assert in_view(window) >= 15
        header = window.page.evaluate("[...document.querySelectorAll('header.bar')].map((bar) => bar.offsetHeight)")
        assert header == [56, 56]


def test_texts_of_one_minute_are_grouped_and_days_are_named(window: PageWindow) -> None:
    window.open("amara")
    first, second, third = (window.text(words) for words in ("Good morning!", "Are we still on", "I would bring"))
    expect(third.locator("time")).to_have_count(1)
    assert [each.locator("time").count() for each in (first, second)] == [0, 0]
    expect(window.page.locator(".day")).to_have_text(["Yesterday", "Today"])
    title = window.text("bring a jumper").locator(".tick").get_attribute("title") or ""
    assert title.startswith("Accepted by the node")


def test_the_composer_grows_to_a_third_and_the_newest_text_stays_in_view(window: PageWindow) -> None:
    window.open("amara")
    newest = window.text("bring a jumper")
    for lines in (1, 5, 60):
        window.box.fill("line\n" * lines)
        assert window.box.evaluate("(box) => box.offsetHeight") <= 800 / 3 + 1
        expect(newest).to_be_in_viewport(ratio=0.95)
    assert window.box.evaluate("(box) => box.offsetHeight") > 250


def test_enter_sends_once_and_the_box_is_empty(window: PageWindow, stage: Stage) -> None:
    window.open("amara")
    window.box.fill("First line")
    window.box.press("Shift+Enter")
    window.box.type("second line")
    window.box.press("Enter")
    expect(window.box).to_have_value("")
    expect(window.text("second line")).to_be_in_viewport()
    assert [ask.text for ask in asked(stage, SendAsk)] == ["First line\nsecond line"]


def test_a_reply_quotes_in_a_form_that_any_client_shows(window: PageWindow, stage: Stage) -> None:
    window.open("amara")
    window.open_menu("Good morning!")
    window.menu.get_by_role("menuitem", name="Reply").click()
    expect(window.box).to_be_focused()
    expect(window.page.locator(".composer-quote")).to_contain_text("Good morning!")
    window.box.type("To you too")
    window.box.press("Enter")
    expect(window.text("To you too").locator("blockquote")).to_have_text("Good morning!")
    assert [ask.text for ask in asked(stage, SendAsk)] == ["> Good morning!\nTo you too"]
    expect(window.page.locator(".composer-quote")).to_have_count(0)


def test_a_draft_is_kept_and_shown_again(window: PageWindow, stage: Stage) -> None:
    window.open("amara")
    window.box.fill("Not yet")
    window.open("li_wei")
    expect(window.box).to_have_value("")
    stage.wait_for(lambda: ("amara", "Not yet") in [(ask.name, ask.text) for ask in asked(stage, SaveDraftAsk)])


def test_search_finds_people_and_texts_marks_them_and_obeys_the_keyboard(window: PageWindow) -> None:
    page = window.page
    page.locator("[data-name=amara]").wait_for()
    page.keyboard.press("Control+k")
    search = page.get_by_label("Search people and texts")
    expect(search).to_be_focused()
    search.type("tra")
    expect(page.locator("mark").first).to_have_text("tra")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="li_wei", level=1)).to_be_visible()
    expect(window.text("The train arrives")).to_have_class(re.compile("is-found"))
    search.focus()
    search.fill("choir")
    expect(page.locator(".lists [data-stop]")).to_have_count(1)
    expect(page.locator(".lists mark")).to_have_text(["choir"])
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    expect(page.locator("[data-name=amara]")).to_be_visible()


def test_menus_and_dialogs_close_by_escape_and_by_a_click_outside(window: PageWindow) -> None:
    page = window.page
    window.open("amara")
    ways: tuple[Callable[[], None], ...] = (lambda: page.keyboard.press("Escape"), lambda: page.mouse.click(640, 20))
    for leave in ways:
        window.open_menu("Good morning!")
        leave()
        expect(window.menu).to_have_count(0)
        for name in ("Settings", "Find someone"):
            window.press(name)
            expect(window.dialog).to_be_visible()
            leave()
            expect(window.dialog).to_have_count(0)
    for leave in (lambda: None, window.box.focus, page.locator(".panel-name").click):
        window.press("About amara")
        expect(page.locator(".panel")).to_be_visible()
        leave()
        page.keyboard.press("Escape")
        expect(page.locator(".panel")).to_have_count(0)


def test_escape_closes_one_thing_at_a_time(window: PageWindow) -> None:
    page = window.page
    window.open("amara")
    window.open_menu("Good morning!")
    window.menu.get_by_role("menuitem", name="Reply").click()
    window.press("About amara")
    search = page.get_by_label("Search people and texts")
    search.fill("tra")
    page.locator(".panel-row", has_text="Nickname").click()
    panel, naming, quote = (page.locator(each) for each in (".panel", ".panel-form", ".composer-quote"))
    expect(naming).to_be_visible()
    for focus, gone in ((None, naming), (search, search.and_(page.locator("[value=tra]"))), (window.box, quote)):
        if focus is not None:
            focus.focus()
        expect(panel).to_be_visible()
        page.keyboard.press("Escape")
        expect(gone).to_have_count(0)
    expect(search).to_have_value("")
    page.locator(".panel-row", has_text="Safety number").click()
    expect(window.dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(window.dialog).to_have_count(0)
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)


@pytest.mark.parametrize(
    ("opens", "shown"), [("[aria-label='About amara']", ".panel"), (".trust-button", "dialog"), (".text", ".menu")]
)
def test_what_is_shown_has_the_focus_and_hears_keys_before_it_is_painted(
    window: PageWindow, opens: str, shown: str
) -> None:
    """A slow machine paints late, and a user's fingers do not wait for it."""
    window.open("amara")
    heard = window.page.evaluate(
        """async ([opens, shown]) => {
            const press = (key) => new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true});
            const key = (name) => document.activeElement.dispatchEvent(press(name));
            const drawn = async () => { for (let each = 0; each < 20; each += 1) await null; };
            const opener = document.querySelector(opens);
            opener.focus();
            if (shown === ".menu") key("Enter");
            else opener.click();
            await drawn();
            const box = document.querySelector(shown);
            const hasFocus = box.contains(document.activeElement);
            if (shown !== "dialog") key("Escape"); // the browser itself closes a dialog
            else box.dispatchEvent(new Event("cancel", {cancelable: true}));
            await drawn();
            return [hasFocus, !box.isConnected, document.activeElement === opener];
        }""",
        [opens, shown],
    )
    assert heard == [True, True, True]


def test_a_deleted_text_comes_back_by_undo(window: PageWindow) -> None:
    window.open("amara")
    window.open_menu("Perfect")
    window.menu.get_by_role("menuitem", name="Delete on this device").click()
    expect(window.text("Perfect")).to_have_count(0)
    window.press("Undo")
    expect(window.text("Perfect")).to_be_visible()


def test_the_panel_mutes_pins_archives_names_blocks_and_removes(window: PageWindow, stage: Stage) -> None:
    page = window.page
    window.open("li_wei")
    window.press("About li_wei")
    for what in ("Mute", "Pin to the top"):
        page.get_by_role("switch", name=what).click()
        expect(page.get_by_role("switch", name=what)).to_be_checked()
    page.locator(".panel-row", has_text="Nickname").click()
    page.get_by_label("Nickname").fill("Wei from work")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Wei from work", level=1)).to_be_visible()
    page.get_by_role("switch", name="Archive").click()
    window.undo("is archived")
    expect(page.locator("[data-name=li_wei]")).to_be_visible()
    kinds = [(ask.muted, ask.pinned, ask.archived, ask.nickname) for ask in asked(stage, SetPersonalAsk)]
    assert kinds == [
        (True, None, None, None), (None, True, None, None), (None, None, None, "Wei from work"),
        (None, None, True, None), (None, None, False, None),
    ]  # fmt: skip
    window.press("Block Wei from work")
    expect(page.locator(".composer")).to_have_text("This person is blocked.")
    window.undo("is blocked")
    expect(window.box).to_be_visible()
    window.press("Remove Wei from work")
    window.dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("[data-name=li_wei]")).to_have_count(0)
    assert [ask.decision for ask in asked(stage, DecideAsk)] == ["block", "accept", "remove"]


def test_a_link_opens_only_after_a_look(window: PageWindow) -> None:
    window.open("library_bot")
    window.press("https://library.example/renew?id=4711")
    expect(window.dialog).to_contain_text("library.example")
    expect(window.dialog.locator(".whole-address")).to_have_text("https://library.example/renew?id=4711")
    assert len(window.context.pages) == 1
    window.dialog.get_by_role("button", name="Cancel").click()
    assert window.page.locator("a[href^=http]").count() == 0


def test_by_keyboard_alone_texts_are_one_stop_and_arrows_move(window: PageWindow) -> None:
    page = window.page
    window.open("amara")
    expect(window.box).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(window.text("bring a jumper")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(window.text("have a look tonight")).to_be_focused()
    page.keyboard.press("Enter")
    expect(window.menu).to_have_attribute("aria-label", "Actions for: Thank you! I’ll have a look tonight.")
    expect(window.menu.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(window.menu.get_by_role("menuitem").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(window.text("have a look tonight")).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.get_by_role("heading", name="li_wei", level=1)).to_be_visible()


def test_a_long_press_opens_the_menu(stage: Stage, chromium: Chromium) -> None:
    window = PageWindow(stage, chromium, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    window.open("amara")
    box = window.text("Perfect").locator(".bubble").bounding_box()
    assert box is not None
    devtools = window.context.new_cdp_session(window.page)
    point = {"x": box["x"] + 20, "y": box["y"] + 15}
    devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(window.menu).to_be_visible()
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(window.menu).to_be_visible()
    window.page.keyboard.press("Escape")
    window.press("Back to the list")
    expect(window.page.locator("[data-name=li_wei]")).to_be_visible()


def test_older_texts_come_by_themselves_and_the_newest_is_one_press_away(chromium: Chromium) -> None:
    account = Account()
    texts = [written_text(row, f"number {row}.", (400 - row) * MINUTE, out=row % 2 == 0) for row in range(1, 400)]
    account.add(contact("amara"), *texts)
    with Stage(account) as stage, PageWindow(stage, chromium) as window:
        window.open("amara")
        expect(window.text("number 399.")).to_be_in_viewport()
        expect(window.button("Go to the newest text")).to_have_count(0)
        for _ in range(400):  # seven fetches
            window.page.locator(".texts").hover()
            window.page.mouse.wheel(0, -3000)
            if window.text("number 1.").count():
                break
            window.page.wait_for_timeout(100)
        expect(window.text("number 1.")).to_be_attached()
        newest = window.button("Go to the newest text")
        expect(newest).to_be_in_viewport()
        newest.click()
        expect(window.text("number 399.")).to_be_in_viewport()


def test_a_text_that_comes_is_shown_and_does_not_move_a_reader(chromium: Chromium) -> None:
    account = Account()
    account.add(contact("amara"), *(written_text(row, f"number {row}.", (99 - row) * MINUTE) for row in range(1, 60)))
    with Stage(account) as stage, PageWindow(stage, chromium) as window:
        window.open("amara")
        expect(window.text("number 59.")).to_be_in_viewport()
        stage.push(TextChangedWire(name="amara", text=written_text(60, "number 60.", 0)))
        expect(window.text("number 60.")).to_be_in_viewport()
        window.page.locator(".texts").evaluate("(box) => (box.scrollTop = 700)")
        stage.push(TextChangedWire(name="amara", text=written_text(61, "number 61.", 0)))
        expect(window.text("number 61.")).to_be_attached()
        assert window.page.locator(".texts").evaluate("(box) => box.scrollTop") == 700


@pytest.mark.parametrize(("moves", "is_shown"), [("700", False), ("box.scrollHeight", True)])
def test_where_the_reader_is_counts_when_a_text_comes_not_what_the_browser_said_last(
    chromium: Chromium, moves: str, is_shown: bool
) -> None:
    """The event of a scroll comes later than the scroll; here the text comes between the two."""
    account = Account()
    account.add(contact("amara"), *(written_text(row, f"number {row}.", (99 - row) * MINUTE) for row in range(1, 60)))
    text = TextChangedWire(name="amara", text=written_text(60, "number 60.", 0))
    with Stage(account) as stage, PageWindow(stage, chromium, SOCKET_AT_HAND) as window:
        window.open("amara")
        expect(window.text("number 59.")).to_be_in_viewport()
        box = window.page.locator(".texts")
        if is_shown:
            box.evaluate("(box) => (box.scrollTop = 700)")
            expect(window.button("Go to the newest text")).to_be_visible()
        left = box.evaluate(
            f"""async (box, data) => {{
                box.scrollTop = {moves};
                const before = box.scrollTop;
                window.socket.onmessage({{data}});
                while (!box.textContent.includes("number 60.")) await null;
                return [box.scrollTop === before, box.scrollHeight - box.scrollTop - box.clientHeight < 1];
            }}""",
            msgspec.json.encode(text).decode(),
        )
        assert left == [not is_shown, is_shown]


def test_a_conversation_that_closes_while_it_is_scrolled_complains_of_nothing(stage: Stage, chromium: Chromium) -> None:
    """The event of a scroll comes when the texts have gone."""
    with PageWindow(stage, chromium, SOCKET_AT_HAND) as window:
        window.open("amara")
        gone = msgspec.json.encode(ContactGoneWire(name="amara")).decode()
        window.page.locator(".texts").evaluate(
            """async (box, data) => {
                box.scrollTop = 0;
                window.socket.onmessage({data});
                for (let each = 0; each < 3; each += 1) await new Promise(requestAnimationFrame);
            }""",
            gone,
        )
        expect(window.page.locator(".texts")).to_have_count(0)
        assert window.watch.problems == []


def test_thousands_of_people_and_texts_open_as_quickly_as_a_few(chromium: Chromium) -> None:
    """The page fetches what is shown; lists of the program are measured where the program is."""
    account = Account()
    for number in range(5_000):
        account.add(contact(f"person_{number}"), written_text(number + 1, "hello", NOW - number))
    account.add(contact("amara"), *(written_text(row, f"number {row}.", 9) for row in range(6_000, 106_000)))
    with Stage(account) as stage, PageWindow(stage, chromium) as window:
        window.open("amara")
        expect(window.text("number 105999.")).to_be_in_viewport()
        assert window.page.locator("[data-name]").count() <= 50
        assert window.page.locator("li.text").count() <= 60
        lines, seen = window.page.locator(".lists [data-name]"), set()
        for _ in range(400):
            window.page.locator(".lists").evaluate("(box) => (box.scrollTop = box.scrollHeight)")
            window.page.wait_for_timeout(50)
            seen |= set(lines.evaluate_all("(all) => all.map((each) => each.dataset.name)"))
            if len(seen) > 1_000:
                break
        assert lines.count() <= 120, "only lines around what is seen are drawn"
        assert len(seen) > 1_000
        inside = """(all) => all.filter((each) => {
            const [line, view] = [each, each.closest(".lists")].map((box) => box.getBoundingClientRect());
            return line.bottom > view.top && line.top < view.bottom;
        }).length"""
        assert lines.evaluate_all(inside) > 5, "what is seen is drawn"
        window.page.keyboard.press("Control+k")
        window.page.keyboard.press("ArrowDown")
        before = window.page.evaluate("document.activeElement.dataset.name")
        for _ in range(150):
            window.page.keyboard.press("ArrowDown")
        after = window.page.evaluate("document.activeElement.dataset.name ?? null")
        assert after not in (None, before), "keys keep the focus, and move it through the list"
        window.page.locator(".lists").evaluate("(box) => (box.scrollTop = 0)")
        expect(window.page.locator("[data-name=amara]")).to_be_in_viewport()


def test_what_is_read_again_takes_the_focus_from_no_one(window: PageWindow, stage: Stage) -> None:
    window.open("amara")
    expect(window.box).to_be_focused()
    search = window.page.get_by_label("Search people and texts")
    search.focus()
    stage.push(TextsGoneWire(name="amara", rows=None))  # the window fetches the conversation again
    window.page.wait_for_function("() => document.querySelectorAll('li.text').length > 0")
    for letter in "amara":
        window.page.keyboard.press(letter)
        window.page.wait_for_timeout(50)
    expect(search).to_have_value("amara")
    expect(window.box).to_have_value("")
    window.page.locator("[data-name=amara]").click()
    expect(window.box).to_be_focused()


@pytest.mark.parametrize("happens", ["all lists are read again", "it moves to another list"])
def test_the_focus_stays_on_its_line(window: PageWindow, stage: Stage, happens: str) -> None:
    line = window.page.locator("[data-name=amara]")
    line.focus()
    line.evaluate("(element) => (window.before = element)")
    if happens == "all lists are read again":
        stage.push(ListsChangedWire())
    else:
        pending = msgspec.structs.replace(stage.account.people["amara"], list="requests", state="pending")
        stage.push(ContactChangedWire(contact=pending))
    window.page.wait_for_function("() => !window.before.isConnected && document.querySelector('[data-name=amara]')")
    expect(line).to_be_focused()
    window.page.keyboard.press("Enter")
    expect(window.page.get_by_role("heading", name="amara", level=1)).to_be_visible()


def test_lines_that_come_back_take_the_focus_from_nothing_else(window: PageWindow, stage: Stage) -> None:
    line = window.page.locator("[data-name=amara]")
    line.focus()
    line.evaluate("(element) => (window.before = element)")
    window.page.mouse.click(900, 700)  # beside everything
    expect(line).not_to_be_focused()
    stage.push(ListsChangedWire())
    window.page.wait_for_function("() => !window.before.isConnected && document.querySelector('[data-name=amara]')")
    window.page.wait_for_timeout(100)
    expect(line).not_to_be_focused()


def test_chosen_files_wait_for_their_conversation_and_the_browser_asks_before_they_go(
    window: PageWindow, chromium: Chromium
) -> None:
    page = window.page
    tray = page.locator(".tray-file")
    window.open("amara")
    page.locator("input[type=file]").set_input_files({"name": "plan.txt", "mimeType": "text/plain", "buffer": b"a"})
    expect(tray).to_contain_text("plan.txt")
    window.open("li_wei")
    expect(tray).to_have_count(0)
    with page.expect_event("dialog"):  # the watch says no to it
        page.evaluate("() => window.setTimeout(() => window.location.reload())")
    window.open("amara")
    assert chromium.take_problems() == ["maya: dialog: beforeunload: "]
    expect(tray).to_contain_text("plan.txt")
    window.press("Do not send plan.txt")
    expect(tray).to_have_count(0)
    page.reload()  # nothing is lost, and nothing is asked
    window.open("amara")
    expect(tray).to_have_count(0)
