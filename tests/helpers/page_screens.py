"""Every screen of the chat page, each menu and dialog among them, and the way there before a made-up account."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from playwright.sync_api import FilePayload, Page, expect

from tests.helpers.page_scenes import full_account
from tests.helpers.page_stage import MINUTE, NUMBER, Account, Stage, contact, written_text
from tests.helpers.page_window import wait_for_screen
from usernym.chat.files import STATIC
from usernym.chat.problems import PageRefused
from usernym.chat.requests import (
    Ask,
    ChangePassphraseAsk,
    DecideAsk,
    DeleteAccountAsk,
    ExportBackupAsk,
    GetAboutAsk,
    GetLinkAsk,
    GetSafetyNumberAsk,
    ImportBackupAsk,
    RegisterNameAsk,
    ReplaceIdentityAsk,
    RestoreAccountAsk,
    SendAsk,
    SetDisappearingAsk,
    SetNetworkAsk,
    UnlockAsk,
)
from usernym.chat.wire import ConnectionWire, FilePart, HomeWire, OutgoingWire, Problem, WarningsWire

Step = Callable[[Page], object]
MAIN: Final = HomeWire(screen="main", name="maya", emulated=True)
CAN_SCAN: Final = """
    window.BarcodeDetector = class {
      static async getSupportedFormats() { return ["qr_code"]; }
      async detect() { return []; }
    };
    if (navigator.mediaDevices) {
      navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
    }
"""
"""A browser that reads QR codes, on a machine that lets no one use its camera."""
PASSPHRASE: Final = "several words are best"


@dataclass(frozen=True)
class Screen:
    """A screen, and how to come to it."""

    steps: tuple[Step, ...] = ()
    home: HomeWire = MAIN
    refuses: dict[type[Ask], PageRefused] = field(default_factory=dict)
    account: Callable[[], Account] | None = None
    """Another account than `every_account`."""
    pushed: Callable[[Stage], None] | None = None
    """What the program tells when the last step is done."""


def every_account() -> Account:
    """One with people and texts of every kind."""
    account = full_account()
    account.warnings = WarningsWire(
        caught=["two_tells"],
        doubted_since=1_700_000_000,
        unwitnessed_since=1_700_000_000,
        stalled_since=1_700_000_000,
        node_moved=True,
    )
    account.connection = ConnectionWire(state="offline", problem=Problem("no_answer"))
    rows = iter(range(20_000, 30_000))

    def text(words: str, **more: Any) -> Any:
        return written_text(next(rows), words, 3 * MINUTE, **more)

    account.add(
        contact("states"),
        text("It waits.", out=True, state="waiting", reason=Problem("mailbox_full")),
        text("It came too late.", out=True, state="expired"),
        text("They refused it.", out=True, state="refused", reason=Problem("unopenable")),
        text("Given up.", out=True, state="cancelled"),
        text("Written long ago", late=True, sent_at=1_700_000_000),
        text("Two before it are missing", missing=2),
    )
    states = [(state, out) for state in get_args(get_type_hints(FilePart)["state"]) for out in (False, True)]
    files = [
        text(f"{state}.png", out=out, file=FilePart(picture=True, size=1_080_000, done=400_000, state=state))
        for state, out in states
        if state == "complete" or not out
    ]
    account.add(contact("hana"), *files)
    account.add(contact("offers_me", route="offer_received"), text("Shall we?"))
    account.add(contact("silent_one", route="active", direct_silent=True, direct_only=True), text("Hello?"))
    account.add(contact("asked_one", route="offered"))
    account.add(contact("blocked_one", state="blocked", list="refused"), text("Buy this"))
    account.add(contact("no_texts", state="pending", list="requests"))
    account.add(contact("long_talk"), *(text(f"number {number}.", read=number < 149) for number in range(150)))
    return account


def open_person(name: str) -> Step:
    def act(page: Page) -> None:
        page.locator(f"[data-name={name}]").click()
        page.locator(".texts:not([aria-busy])").wait_for()

    return act


def press(name: str) -> Step:
    return lambda page: page.get_by_role("button", name=name, exact=True).first.click()


def row(title: str) -> Step:
    return lambda page: page.locator(".panel-row", has_text=title).click()


def check(label: str) -> Step:
    return lambda page: page.get_by_text(label, exact=True).click()


def type_in(label: str, text: str) -> Step:
    return lambda page: page.get_by_label(label, exact=True).fill(text)


def enter(page: Page) -> None:
    page.keyboard.press("Enter")


def see(text: str | re.Pattern[str]) -> Step:
    return lambda page: expect(page.get_by_text(text).first).to_be_visible()


def choose_files(page: Page) -> None:
    """A picture, and a file that is too large."""
    chosen = (("a.png", "image/png", 9), ("b.bin", "", 11_000_000))
    files = [FilePayload(name=name, mimeType=kind, buffer=bytes(size)) for name, kind, size in chosen]
    page.locator(".composer input[type=file]").set_input_files(files)


def settings(title: str) -> tuple[Step, ...]:
    return press("Settings"), press(title)


def menu_of(words: str) -> Step:
    def act(page: Page) -> None:
        page.locator("li.text", has_text=words).focus()
        page.keyboard.press("Enter")
        page.get_by_role("menu").wait_for()

    return act


def item(name: str) -> Step:
    return lambda page: page.get_by_role("menuitem", name=name).click()


def panel_of(name: str, *rows: str) -> tuple[Step, ...]:
    return (open_person(name), press(f"About {name}"), *(row(each) for each in rows))


def safety_of(name: str, seen: str = "") -> tuple[Step, ...]:
    begin = (open_person(name), lambda page: page.locator(".trust-button").click())
    if not seen:
        return begin
    return (*begin, type_in(f"What does {name} see?", seen), press("Compare"))


def new_passphrase(label: str) -> tuple[Step, ...]:
    return type_in(label, PASSPHRASE), type_in("Repeat the passphrase", PASSPHRASE)


def new(**more: Any) -> HomeWire:
    return HomeWire(screen="new", can_change_network=True, emulated=True, **more)


def begun(**more: Any) -> HomeWire:
    return HomeWire(screen="unregistered", name="maya", **more)


def refused(kind: type[Ask], code: str, **data: str | int) -> dict[type[Ask], PageRefused]:
    return {kind: PageRefused(code, **data)}


_TO_PASSPHRASE: Final[tuple[Step, ...]] = (
    press("Choose a name"), see("maya is free."), press("Continue"), see("It protects your keys"),
)  # fmt: skip
_TO_RESTORE: Final[tuple[Step, ...]] = (
    press("I have recovery words"), type_in("Name", "maya"), type_in("Recovery words", "a b c"),
    *new_passphrase("A new passphrase for this machine"), press("Restore"),
)  # fmt: skip
_TO_ASKED_BACK: Final[tuple[Step, ...]] = (press("I have written them down"), press("Register"))
_WORDS: Final = begun(has_words=True)
_TO_SAFETY_DIFFERS: Final = safety_of("li_wei", "1" * 60)

SCREENS: Final[dict[str, Screen]] = {
    # before the first conversation
    "network": Screen(home=HomeWire(screen="network", emulated=True)),
    "network-own": Screen((check("A Nym client on this machine"),), HomeWire(screen="network")),
    "network-silent": Screen(
        (type_in("The node’s card", "x"), press("Continue"), see("Nothing answers there")),
        HomeWire(screen="network"), refused(SetNetworkAsk, "mixnet_silent"),
    ),
    "network-no-card": Screen(
        (type_in("The node’s card", "x"), press("Continue"), see("This isn’t a node’s card")),
        HomeWire(screen="network"), refused(SetNetworkAsk, "card_invalid"),
    ),
    "welcome": Screen(home=new()),
    "name": Screen((press("Choose a name"),), new()),
    "name-taken": Screen((press("Choose a name"), type_in("Name", "alice"), see("This name is taken.")), new()),
    "name-free": Screen((press("Choose a name"), see("maya is free.")), new(name="maya")),
    "passphrase": Screen(_TO_PASSPHRASE, new(name="maya")),
    "passphrase-weak": Screen((*_TO_PASSPHRASE, press("Continue"), see("Please use at least")), new(name="maya")),
    "passphrase-none": Screen((*_TO_PASSPHRASE, check("Continue without a passphrase")), new(name="maya")),
    "restore": Screen((press("I have recovery words"), press("Restore")), new()),
    "restore-no-words": Screen(
        (*_TO_RESTORE, see("These are not twelve")), new(), refused(RestoreAccountAsk, "words_invalid")
    ),
    "restore-silent": Screen(
        (*_TO_RESTORE, see("The node does not respond.")), new(), refused(RestoreAccountAsk, "no_answer")
    ),
    "words": Screen(home=_WORDS),
    "words-back": Screen((press("I have written them down"),), _WORDS),
    "words-wrong": Screen(_TO_ASKED_BACK, _WORDS),
    "unfinished": Screen(home=begun()),
    "unfinished-taken": Screen(
        (press("I have them: register the name"), see("This name is taken.")), begun(),
        refused(RegisterNameAsk, "name_taken"),
    ),
    "locked": Screen(home=HomeWire(screen="locked")),
    "locked-wrong": Screen(
        (type_in("Passphrase", "x"), press("Open"), see("This is not the passphrase.")), HomeWire(screen="locked"),
        refused(UnlockAsk, "passphrase_wrong"),
    ),
    "busy": Screen(home=HomeWire(screen="locked", busy=True)),
    "stopped": Screen(home=HomeWire(screen="stopped", problem=Problem("disk_full"))),
    # people
    "people": Screen(),
    "no-people": Screen(account=Account),
    "deleted": Screen((open_person("amara"),), HomeWire(screen="main", name="maya", deleted=True)),
    "archived": Screen((press("Archived (1)"), see("beatriz"))),
    "refused": Screen((press("Declined and blocked (2)"), see("blocked_one"))),
    "search": Screen((type_in("Search people and texts", "ma"), see("Texts"))),
    "nothing-found": Screen((type_in("Search people and texts", "zzz"), see("Nothing found"))),
    # a conversation
    "talk": Screen((open_person("amara"),)),
    "talk-found": Screen(
        (type_in("Search people and texts", "basket"), see("Texts"),
         lambda page: page.locator("section[aria-label=Texts] .line").last.click(), see("Good morning!"))
    ),
    "talk-empty": Screen((open_person("asked_one"), see("No texts yet. Write"))),
    "talk-states": Screen((open_person("states"),)),
    "talk-back": Screen(
        (open_person("long_talk"), lambda page: page.locator(".texts").evaluate("(box) => (box.scrollTop = 900)"),
         lambda page: page.locator(".newest").wait_for())
    ),
    "talk-storing": Screen(
        (open_person("amara"),), pushed=lambda stage: stage.push(OutgoingWire(name="amara", nonce="x", text="Soon"))
    ),
    "talk-unsent": Screen(
        (open_person("amara"), type_in("Write to amara", "x"), enter, see("The disk is full.")),
        refuses=refused(SendAsk, "disk_full"),
    ),
    "talk-too-long": Screen((open_person("amara"), type_in("Write to amara", "x" * 65_600), see("too long by"))),
    "reply": Screen((open_person("amara"), menu_of("Perfect"), item("Reply"))),
    "request": Screen((open_person("rosalind"),)),
    "request-no-texts": Screen((open_person("no_texts"),)),
    "request-refused": Screen(
        (open_person("rosalind"), press("Accept"), see("The disk is full.")), refuses=refused(DecideAsk, "disk_full")
    ),
    "changed": Screen((open_person("jonas_w"),)),
    "blocked": Screen((press("Declined and blocked (2)"), open_person("blocked_one"))),
    "declined": Screen((press("Declined and blocked (2)"), open_person("ostap"))),
    "offered": Screen((open_person("offers_me"),)),
    "silent": Screen((open_person("silent_one"),)),
    "text-menu": Screen((open_person("amara"), menu_of("Perfect"))),
    "text-menu-waiting": Screen((open_person("states"), menu_of("It waits."))),
    "text-menu-failed": Screen((open_person("states"), menu_of("It came too late."))),
    "details": Screen((open_person("states"), menu_of("It waits."), item("Details"))),
    "deleted-text": Screen((open_person("amara"), menu_of("Perfect"), item("Delete on this device"), see("Undo"))),
    "files": Screen((open_person("hana"), lambda page: expect(page.locator("li.text img")).to_have_count(2))),
    "picture": Screen((open_person("hana"), lambda page: page.locator(".file-picture").last.click())),
    "tray": Screen((open_person("hana"), choose_files)),
    "address": Screen((open_person("amara"), press("https://market.example/stalls/17"))),
    # a person
    "panel": Screen(panel_of("amara")),
    "panel-blocked": Screen((press("Declined and blocked (2)"), *panel_of("blocked_one"))),
    "nickname": Screen(panel_of("amara", "Nickname")),
    "route-offer": Screen(panel_of("li_wei", "Direct route")),
    "route-offered": Screen(panel_of("asked_one", "Direct route")),
    "route-asked": Screen(panel_of("offers_me", "Direct route")),
    "route-active": Screen(panel_of("silent_one", "Direct route")),
    "disappearing": Screen(panel_of("amara", "Disappearing texts")),
    "disappearing-other": Screen(
        (*panel_of("amara", "Disappearing texts"), check("After another time"), press("Apply"),
         see("From one minute to 366 days")),
        refuses=refused(SetDisappearingAsk, "duration_out_of_range"),
    ),
    "delete": Screen(panel_of("amara", "Delete all texts")),
    "remove": Screen(panel_of("amara", "Remove amara")),
    "safety": Screen((*safety_of("li_wei"), see(NUMBER[:5]))),
    "safety-verified": Screen((*safety_of("amara"), see(NUMBER[:5]))),
    "safety-changed": Screen((*safety_of("jonas_w"), see(NUMBER[:5]))),
    "safety-same": Screen((*safety_of("li_wei", NUMBER), see("The same number"))),
    "safety-no-number": Screen((*safety_of("li_wei", "hello"), see("This isn’t a safety number"))),
    "safety-differs": Screen((*_TO_SAFETY_DIFFERS, see("do not write"))),
    "safety-no-camera": Screen(
        (*safety_of("li_wei"), press("QR code with the camera"), see("The camera can’t be used"))
    ),
    "safety-silent": Screen(
        (*safety_of("li_wei"), see("The disk is full.")), refuses=refused(GetSafetyNumberAsk, "disk_full")
    ),
    # the account
    "find": Screen((press("Find someone"),)),
    "find-no-one": Screen(
        (press("Find someone"), type_in("Name or link", "nonesuch"), press("Find"), see("No one has this name."))
    ),
    "me": Screen((lambda page: page.locator(".me").click(), see("usernym:maya"))),
    "me-silent": Screen(
        (lambda page: page.locator(".me").click(), see("The node does not respond.")),
        refuses=refused(GetLinkAsk, "no_answer"),
    ),
    "settings": Screen((press("Settings"),)),
    "settings-look": Screen(settings("Appearance")),
    "settings-language": Screen(settings("Language")),
    "settings-news": Screen((*settings("Notifications and sound"), check("Notifications"))),
    "settings-passphrase": Screen((*settings("Passphrase"), press("Change passphrase"))),
    "passphrase-changed": Screen(
        (*settings("Passphrase"), type_in("Current passphrase", "x"), *new_passphrase("New passphrase"),
         press("Change passphrase"), see("The passphrase is changed."))
    ),
    "passphrase-not-it": Screen(
        (*settings("Passphrase"), type_in("Current passphrase", "x"), *new_passphrase("New passphrase"),
         press("Change passphrase"), see("This is not the passphrase.")),
        refuses=refused(ChangePassphraseAsk, "passphrase_wrong"),
    ),
    "settings-backup": Screen((*settings("Backup"), press("Create backup"))),
    "backup-written": Screen(
        (*settings("Backup"), *new_passphrase("A passphrase for the backup"), press("Create backup"),
         see("The backup is in"))
    ),
    "backup-exists": Screen(
        (*settings("Backup"), *new_passphrase("A passphrase for the backup"), press("Create backup"),
         see("This folder exists already")),
        refuses=refused(ExportBackupAsk, "exists", path="/home/maya/usernym-backup"),
    ),
    "backup-read": Screen(
        (*settings("Backup"), type_in("Folder of the backup", "/x"), type_in("Passphrase of the backup", "x"),
         press("Restore from a backup"), see("Restored: 9 contacts, 1 text."))
    ),
    "backup-unreadable": Screen(
        (*settings("Backup"), type_in("Folder of the backup", "/x"), type_in("Passphrase of the backup", "x"),
         press("Restore from a backup"), see("The files are damaged.")),
        refuses=refused(ImportBackupAsk, "damaged"),
    ),
    "settings-help": Screen(settings("Keys and words")),
    "about-silent": Screen(
        (*settings("About"), see("The program on this machine is not reached.")), refuses=refused(GetAboutAsk, "closed")
    ),
    "settings-about": Screen((*settings("About"), see("Your identity key"))),
    "settings-replace": Screen(settings("My machine was stolen")),
    "replaced": Screen(
        (*settings("My machine was stolen"), type_in("Recovery words", "x"), press("Replace my identity"),
         see("Your identity is replaced."))
    ),
    "not-replaced": Screen(
        (*settings("My machine was stolen"), type_in("Recovery words", "x"), press("Replace my identity"),
         see("These are not twelve")),
        refuses=refused(ReplaceIdentityAsk, "words_invalid"),
    ),
    "settings-delete": Screen(settings("Delete this account")),
    "account-deleted": Screen(
        (*settings("Delete this account"), type_in("Type maya to continue", "maya"), press("Delete my account"),
         see("The account is deleted."))
    ),
    "account-stays": Screen(
        (*settings("Delete this account"), type_in("Type maya to continue", "maya"), press("Delete my account"),
         see("The node is busy.")),
        refuses=refused(DeleteAccountAsk, "busy"),
    ),
}  # fmt: skip


def names_in(module: str, pattern: str) -> set[str]:
    """What a module of the page lists, so that a screen that is new there is missed here."""
    return set(re.findall(pattern, (Path(STATIC) / module).read_text(), re.MULTILINE))


def arrange(stage: Stage, screen: Screen) -> None:
    """Make the account such that the screen comes."""
    stage.account = (screen.account or every_account)()
    stage.account.home, stage.account.refuses = screen.home, dict(screen.refuses)


def walk_to(page: Page, stage: Stage, screen: Screen) -> None:
    """Open the page, and go to the screen."""
    page.goto(stage.address)
    wait_for_screen(page)
    for step in screen.steps:
        step(page)
    if screen.pushed:
        screen.pushed(stage)
        page.locator("li.is-storing").wait_for()
