"""Each request that the page can make is made by keys alone, and so is what needs no request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, get_args

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import Chromium
from tests.helpers.page_keys import Keys
from tests.helpers.page_screens import MAIN, PASSPHRASE, begun, every_account, new
from tests.helpers.page_stage import NUMBER, WORDS, Stage
from tests.helpers.page_window import PageWindow, wait_for_screen
from usernym.chat.requests import (
    Ask,
    CancelAsk,
    CancelFileAsk,
    ChangePassphraseAsk,
    CheckNameAsk,
    CloseConversationAsk,
    ConfirmVerifiedAsk,
    CreateAccountAsk,
    DecideAsk,
    DeleteAccountAsk,
    DeleteAsk,
    DirectRouteAsk,
    ExportBackupAsk,
    FindPersonAsk,
    ForgetNetworkAsk,
    FromWindow,
    GetAboutAsk,
    GetLinkAsk,
    GetSafetyNumberAsk,
    HelloAsk,
    ImportBackupAsk,
    ListContactsAsk,
    MarkReadAsk,
    MoreTextsAsk,
    OpenConversationAsk,
    RegisterNameAsk,
    ReplaceIdentityAsk,
    RestoreAccountAsk,
    RetryAsk,
    SaveDraftAsk,
    SearchAsk,
    SendAsk,
    SetDirectOnlyAsk,
    SetDisappearingAsk,
    SetNetworkAsk,
    SetPersonalAsk,
    ShowWordsAsk,
    StartOverAsk,
    UndoAsk,
    UnlockAsk,
    UnverifyAsk,
    VerifyAsk,
)  # fmt: skip
from usernym.chat.wire import HomeWire

pytestmark = [pytest.mark.browser, pytest.mark.seconds]
CLIPBOARD_AND_PRINTER: Final = """
    window.done = [];
    const writeText = async (text) => void window.done.push(text);
    Object.defineProperty(navigator, "clipboard", { value: { writeText } });
    window.print = () => window.done.push("printed");
    window.open = (address) => window.done.push(address);
    window.Notification = class { static permission = "default"; static requestPermission = async () => "granted"; };
"""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(every_account()) as stage:
        yield stage


def choose_a_network(keys: Keys) -> None:
    keys.write("The node’s card", "a card")
    keys.choose("Nym’s network", "ArrowDown")
    keys.write("Address of the client", "ws://127.0.0.1:1977")
    keys.press("Enter")


def choose_another_network(keys: Keys) -> None:
    keys.choose("Use another node")


def make_an_account(keys: Keys) -> None:
    keys.choose("Choose a name")
    keys.write("Name", "maya")
    expect(keys.page.get_by_text("maya is free.")).to_be_visible()
    keys.press("Enter")
    keys.to("Passphrase")
    keys.page.keyboard.type(PASSPHRASE)
    keys.choose("Show the passphrase", "Space")
    keys.choose("Continue", by="Tab")


def restore_an_account(keys: Keys) -> None:
    keys.choose("I have recovery words")
    keys.write("Name", "maya")
    keys.write("Recovery words", "a b c")
    keys.write("A new passphrase", PASSPHRASE)
    keys.write("Repeat the passphrase", PASSPHRASE)
    keys.choose("Replace my identity", "Space")
    keys.press("Enter")


def write_the_words_down(keys: Keys) -> None:
    keys.choose("Print")
    keys.choose("Copy")
    keys.to("Download")
    with keys.page.expect_download():
        keys.press("Enter")
    keys.choose("I have written them down")
    expect(keys.page.locator(".field")).to_have_count(2)
    for label in keys.page.locator(".field label").all_inner_texts():
        keys.write(label, WORDS[int(label.split()[1]) - 1])
    keys.press("Enter")
    assert keys.page.evaluate("window.done") == ["printed", " ".join(WORDS)]


def start_over(keys: Keys) -> None:
    keys.choose("No: start over")


def unlock(keys: Keys) -> None:
    keys.write("Passphrase", "x")
    keys.press("Enter")


def find_and_write(keys: Keys) -> None:
    keys.press("Alt+n")
    keys.write("Name or link", "amara")
    keys.press("Enter")
    expect(keys.page.get_by_role("heading", name="amara", level=1)).to_be_visible()
    keys.to("Write to amara")
    keys.page.keyboard.type("by keys")
    keys.press("Enter")
    expect(keys.page.locator("li.text", has_text="by keys")).to_be_visible()
    keys.menu("Perfect", "Reply")
    keys.to("Remove the quote", "Shift+Tab")
    keys.press("Enter")
    expect(keys.page.locator(".composer-quote")).to_have_count(0)
    keys.menu("Perfect", "Copy")
    keys.menu("Perfect", "Details")
    expect(keys.page.get_by_role("dialog", name="Details")).to_be_visible()
    keys.press("Escape")
    keys.menu("Perfect", "Delete on this device")
    keys.choose("Undo")
    expect(keys.page.locator("li.text", has_text="Perfect")).to_be_visible()
    keys.choose("https://market.example", by="Shift+Tab")
    keys.choose("Open")
    assert keys.page.evaluate("window.done") == ["Perfect", "https://market.example/stalls/17"]


def search_and_go_back(keys: Keys) -> None:
    keys.press("Control+k")
    keys.page.keyboard.type("number 149.")
    expect(keys.page.get_by_role("region", name="Texts", exact=True).get_by_role("button")).to_have_count(1)
    keys.press("ArrowDown", "Enter")
    expect(keys.page.locator("li.text.is-found")).to_be_visible()
    keys.press("Control+k", "Escape")
    keys.open("states")
    keys.open("long_talk")
    expect(keys.page.locator("li.text", has_text="number 149.")).to_be_visible()
    expect(keys.page.get_by_label("Write to long_talk")).to_be_focused()
    for _ in range(100):
        if keys.page.evaluate("document.activeElement.matches('[data-row]')"):
            break
        keys.press("Shift+Tab")
    first = keys.page.locator("li.text", has_text="number 0.")
    for _ in range(50):
        keys.press("Home")
        if first.count():
            break
        keys.page.wait_for_timeout(100)
    keys.press("Home")
    expect(first).to_be_focused()
    keys.choose("Go to the newest text")
    expect(keys.page.locator("li.text", has_text="number 149.")).to_be_in_viewport()
    keys.press("Alt+ArrowDown")
    expect(keys.page.get_by_role("heading", name="silent_one", level=1)).to_be_visible()


def try_and_cancel(keys: Keys) -> None:
    keys.open("states")
    keys.menu("It waits.", "Try now")
    keys.menu("It waits.", "Cancel sending")
    keys.menu("It came too late.", "Send again")


def cancel_a_file(keys: Keys) -> None:
    keys.open("hana")
    keys.menu("under_way.png", "Cancel")


def decide(keys: Keys) -> None:
    keys.open("rosalind")
    keys.choose("Decline")
    keys.choose("Accept after all")
    expect(keys.page.get_by_label("Write to rosalind")).to_be_visible()
    keys.open("no_texts")
    keys.choose("Block")
    expect(keys.page.locator(".composer")).to_have_text("This person is blocked.")
    keys.choose("Declined and blocked")
    expect(keys.page.locator("[data-name=ostap]")).to_be_visible()
    keys.open("ostap")
    keys.choose("Accept after all")


def change_a_person(keys: Keys) -> None:
    page = keys.page
    keys.open("li_wei")
    keys.choose("About li_wei")
    for switch in ("Mute", "Pin to the top", "Archive"):
        keys.choose(switch, "Space")
        expect(page.get_by_role("switch", name=switch)).to_be_checked()
    keys.choose("Archive", "Space")
    keys.choose("Nickname")
    keys.write("Nickname", "Wei")
    keys.press("Enter")
    keys.choose("Disappearing texts")
    keys.to("Never")
    keys.press("ArrowUp")
    keys.write("After another time", "20")
    keys.to("Unit")
    keys.press("h")
    keys.choose("Apply")
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys.choose("Delete all texts")
    keys.choose("Delete all texts")
    expect(page.locator(".toast")).to_contain_text("All texts deleted")
    keys.choose("Undo")
    keys.choose("Remove Wei")
    keys.choose("Remove")
    expect(page.get_by_role("heading", name="Wei", level=1)).to_have_count(0)


def compare_numbers(keys: Keys) -> None:
    page = keys.page
    keys.open("amara")
    keys.choose("Verified")
    expect(page.locator(".digits")).to_be_visible()
    keys.choose("Remove verification")
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys.choose("Confirmed by the node")
    keys.write("What does amara see?", "1" * 60)
    keys.press("Enter")
    expect(page.get_by_text("do not write")).to_be_visible()
    keys.write("What does amara see?", NUMBER)
    keys.press("Enter")
    expect(page.get_by_text("amara is verified.")).to_be_visible()
    keys.press("Escape")
    keys.open("jonas_w")
    keys.choose("Compare safety numbers")
    expect(page.locator(".digits")).to_be_visible()
    keys.choose("They are the same")
    expect(page.get_by_role("dialog")).to_have_count(0)


def choose_routes(keys: Keys) -> None:
    for name, shown, button in (
        ("samuel", "None: through the node", "Show my address"), ("offers_me", "They offer one", "Accept, and show"),
        ("asked_one", "Offered", "Withdraw the offer"), ("silent_one", "In use", "End the direct route"),
    ):  # fmt: skip
        keys.open(name)
        keys.choose(f"About {name}")
        keys.choose(f"Direct route {shown}")
        expect(keys.page.get_by_role("dialog")).to_be_visible()
        if name == "silent_one":
            keys.choose("Only the direct route", "Space")
        keys.choose(button)
        expect(keys.page.get_by_role("dialog")).to_have_count(0)
        keys.press("Escape")


def change_settings(keys: Keys) -> None:
    page = keys.page
    for title, act in SETTINGS.items():
        keys.choose("Settings")
        keys.choose(title)
        expect(page.get_by_role("dialog", name=title)).to_be_visible()
        act(keys)
        keys.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    keys.choose("Your link")
    for button in ("Copy", "Print"):
        keys.choose(button)
    assert page.evaluate("window.done.length") == 2


def _look(keys: Keys) -> None:
    keys.to("Same as system")
    keys.press("ArrowDown", "ArrowDown")
    expect(keys.page.locator("html")).to_have_attribute("data-theme", "dark")


def _language(keys: Keys) -> None:
    keys.to("Same as browser")
    keys.press("ArrowDown")
    expect(keys.page.get_by_role("radio", name="English")).to_be_checked()


def _news(keys: Keys) -> None:
    for choice in ("Notifications", "A short sound"):
        keys.choose(choice, "Space")
        expect(keys.page.get_by_role("checkbox", name=choice)).to_be_checked()


def _passphrase(keys: Keys) -> None:
    keys.write("Current passphrase", "x")
    keys.write("New passphrase", PASSPHRASE)
    keys.write("Repeat the passphrase", PASSPHRASE)
    keys.press("Enter")
    expect(keys.page.get_by_text("The passphrase is changed.")).to_be_visible()


def _backup(keys: Keys) -> None:
    keys.write("New folder on this machine", "/x")
    keys.write("A passphrase for the backup", PASSPHRASE)
    keys.write("Repeat the passphrase", PASSPHRASE)
    keys.press("Enter")
    expect(keys.page.get_by_text("The backup is in /x.")).to_be_visible()
    keys.write("Folder of the backup", "/x")
    keys.write("Passphrase of the backup", PASSPHRASE)
    keys.press("Enter")
    expect(keys.page.get_by_text("Restored:")).to_be_visible()


def _replace(keys: Keys) -> None:
    keys.write("Recovery words", "a b c")
    keys.press("Control+Enter")
    expect(keys.page.get_by_text("Your identity is replaced.")).to_be_visible()


def _delete(keys: Keys) -> None:
    keys.write("Type maya to continue", "maya")
    keys.press("Enter")
    expect(keys.page.get_by_text("The account is deleted.")).to_be_visible()


SETTINGS: Final[dict[str, Callable[[Keys], None]]] = {
    "Appearance": _look,
    "Language": _language,
    "Notifications and sound": _news,
    "Passphrase": _passphrase,
    "Backup": _backup,
    "Keys and words": lambda keys: keys.choose("Settings"),
    "About": lambda keys: keys.to("Licences of the code"),
    "My machine was stolen": _replace,
    "Delete this account": _delete,
}


def back_to_the_list(keys: Keys) -> None:
    keys.page.set_viewport_size({"width": 390, "height": 844})
    keys.open("amara")
    keys.choose("Back to the list", by="Shift+Tab")
    expect(keys.page.locator("[data-name=amara]")).to_be_visible()


@dataclass(frozen=True)
class Way:
    """What a person does, on which screen it begins, and what the page asks the program meanwhile."""

    walk: Callable[[Keys], None]
    home: HomeWire
    asks: tuple[type[Ask], ...]


WAYS: Final = (
    Way(choose_a_network, HomeWire(screen="network"), (SetNetworkAsk,)),
    Way(choose_another_network, new(), (ForgetNetworkAsk,)),
    Way(make_an_account, new(), (CheckNameAsk, CreateAccountAsk)),
    Way(restore_an_account, new(), (RestoreAccountAsk,)),
    Way(write_the_words_down, begun(has_words=True), (ShowWordsAsk, RegisterNameAsk)),
    Way(start_over, begun(), (StartOverAsk,)),
    Way(unlock, HomeWire(screen="locked"), (UnlockAsk,)),
    Way(find_and_write, MAIN, (FindPersonAsk, OpenConversationAsk, SaveDraftAsk, SendAsk, DeleteAsk, UndoAsk)),
    Way(search_and_go_back, MAIN, (SearchAsk, MoreTextsAsk, MarkReadAsk)),
    Way(try_and_cancel, MAIN, (RetryAsk, CancelAsk)),
    Way(cancel_a_file, MAIN, (CancelFileAsk,)),
    Way(decide, MAIN, (DecideAsk, ListContactsAsk)),
    Way(change_a_person, MAIN, (SetPersonalAsk, SetDisappearingAsk, DeleteAsk, DecideAsk)),
    Way(compare_numbers, MAIN, (GetSafetyNumberAsk, UnverifyAsk, VerifyAsk, ConfirmVerifiedAsk)),
    Way(choose_routes, MAIN, (DirectRouteAsk, SetDirectOnlyAsk)),
    Way(change_settings, MAIN, (
        GetLinkAsk, GetAboutAsk, ChangePassphraseAsk, ExportBackupAsk, ImportBackupAsk, ReplaceIdentityAsk,
        DeleteAccountAsk,
    )),
    Way(back_to_the_list, MAIN, (CloseConversationAsk,)),
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=[way.walk.__name__ for way in WAYS])
def test_by_keys_alone(stage: Stage, chromium: Chromium, way: Way) -> None:
    stage.account = every_account()
    stage.account.home = way.home
    window = PageWindow(stage, chromium, CLIPBOARD_AND_PRINTER)
    wait_for_screen(window.page)
    way.walk(Keys(window.page))
    stage.wait_for(lambda: set(way.asks) <= {type(ask) for ask in stage.account.sent})


def test_all_that_can_be_asked_is_asked_by_keys() -> None:
    asked = {kind for way in WAYS for kind in way.asks}
    assert set(get_args(FromWindow)) - {HelloAsk} - asked == set()
