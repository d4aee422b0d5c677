"""People with their programs and pages: mixnet, node and chats as processes, and a watched Chromium to look at them."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from playwright.sync_api import BrowserContext, Error, Locator, Page, expect

import usernym
from tests.helpers.browser import LOST, PATIENCE_S, BrowserWatch, Chromium, show
from tests.helpers.crash_world import NETWORKS, kill, start, stop, usernym_command
from tests.helpers.ports import free_ports
from usernym.demo.processes import Running

CLIENTS: Final = 150
"""Mixnet clients that one world has: one for each home that its tests make."""
_SUFFIX: Final = "abcdefghjkmnpqrstuvwxyz"
"""Letters of which none looks like another (docs/protocol.md, "Names")."""


@dataclass(frozen=True)
class ShownLine:
    """A text as a page shows it."""

    row: int
    text: str
    mine: bool
    state: str


class BrowserWorld:
    """A mixnet and a node that run as long as the tests do, and homes for anyone who is needed."""

    def __init__(self, folder: Path, network: str = "emulator") -> None:
        self.folder = folder
        self._network = NETWORKS[network](folder, CLIENTS)
        self._free = iter(range(1, CLIENTS))
        self._numbers = itertools.count()
        self._node: Running | None = None
        self.card = ""

    def __enter__(self) -> Self:
        self._network.start()
        self.start_node()
        return self

    def __exit__(self, *_: object) -> None:
        if self._node is not None:
            kill(self._node)
        self._network.kill()

    def start_node(self) -> None:
        """Start the node (again)."""
        command = usernym_command("--home", "node", "node", "run", "--mixnet", self._network.mixnet(0))
        self._node = start("node", self.folder, command)
        self.card = self._node.wait_for("that it is up", lambda told: told.get("event") == "up")["card"]

    def kill_node(self) -> None:
        """`kill -9`."""
        assert self._node is not None
        kill(self._node)

    def name(self, stem: str) -> str:
        """A name that no one has had, and that looks like no other."""
        number, letters = next(self._numbers), ""
        while number or not letters:
            number, digit = divmod(number, len(_SUFFIX))
            letters += _SUFFIX[digit]
        return f"{stem}_{letters}"

    def mixnet(self) -> str:
        """A mixnet client that no one has had, for `--mixnet`."""
        mixnet: str = self._network.mixnet(next(self._free))
        return mixnet

    @contextlib.contextmanager
    def client(self, name: str, home: str | None = None, **more: Any) -> Iterator[usernym.Client]:
        """A client's handle in this process, for what must be there before a page is opened; a home without
        passphrase, if none is given."""
        folder = self.folder / (home or name)
        if not folder.exists():
            more = {"name": name, "node": self.card, "mixnet": self.mixnet()} | more
        with usernym.Client.open(folder, **({} if "passphrase" in more else {"unprotected": True}) | more) as client:
            yield client

    def register(self, name: str, *, passphrase: str | None = None) -> str:
        """Register someone, as `usernym register` does. Returns the recovery words."""
        with self.client(name, **({} if passphrase is None else {"passphrase": passphrase})) as client:
            client.register(PATIENCE_S)
            return client.take_recovery_words() or ""

    def acquaint(self, one: str, other: str) -> None:
        """Let two registered people look each other up, so that neither is a stranger to the other."""
        for me, peer in ((one, other), (other, one)):
            with self.client(me) as client:
                client.look_up(peer, PATIENCE_S)


class Someone:
    """A person at a screen: their home, `usernym chat` in it, and a window that shows it."""

    def __init__(self, world: BrowserWorld, chromium: Chromium, home: str, variables: dict[str, str]) -> None:
        self.world = world
        self.home = home
        self.port = free_ports(1)
        self.host = f"127.0.0.1:{self.port}"
        self.program: Running | None = None
        self.address = ""
        self._chromium = chromium
        self._variables = variables
        self._arguments: tuple[str, ...] = ()
        self._context: BrowserContext | None = None
        self._watch: BrowserWatch | None = None
        self._page: Page | None = None

    @property
    def page(self) -> Page:
        """The window."""
        assert self._page is not None, "opened before"
        return self._page

    @property
    def context(self) -> BrowserContext:
        """The browser's profile."""
        assert self._context is not None, "opened before"
        return self._context

    @property
    def watch(self) -> BrowserWatch:
        """What their browser must never do."""
        assert self._watch is not None, "opened before"
        return self._watch

    @property
    def log(self) -> Path:
        """What `usernym chat` said on its standard error."""
        return self.world.folder / f"chat-{self.home}.log"

    # -- the program --

    def start(self, *arguments: str) -> str:
        """Start `usernym chat`. Returns its address."""
        self._arguments = arguments or self._arguments
        command = usernym_command(
            "--home", self.home, "chat", "--no-browser", "--port", str(self.port), *self._arguments
        )
        # `start` takes out everyone's own settings; these are the person's.
        variables = [f"{name}={value}" for name, value in self._variables.items()]
        self.program = start(f"chat-{self.home}", self.world.folder, ["env", *variables, *command])
        ready = self.program.wait_for("its address", lambda told: told.get("event") == "ready")
        self.address = ready["address"]
        return self.address

    def start_new(self) -> str:
        """Start it in a home that is not there yet, with a node and a mixnet."""
        return self.start("--node", self.world.card, "--mixnet", self.world.mixnet())

    def kill(self) -> None:
        """`kill -9`."""
        assert self.program is not None, "started before"
        kill(self.program)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """The program does nothing for now, as on a machine that has too much to do."""
        assert self.program is not None
        self.program.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.program.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.program is not None, "started before"
        return stop(self.program)

    # -- the window --

    def look(self, **context: Any) -> Page:
        """Open the address that the program printed in a browser's new profile."""
        self._context, self._watch = self._chromium.context(self.home, self.host, **context)
        self._page = self._context.new_page()
        self._page.goto(self.address)
        return self._page

    def look_again(self) -> None:
        """Open the address that the program, started again, printed."""
        # Chromium takes an address that differs behind the # only for a place in the same page.
        self.page.goto("about:blank")
        self.page.goto(self.address)

    def begin(self, **context: Any) -> Self:
        """Start the program and open its page; returns when it is connected."""
        self.start()
        self.look(**context)
        self.wait_online()
        return self

    def wait_online(self) -> None:
        """Until the page says that the client is connected."""
        expect(self.page.locator(".connection")).to_have_text("Connected")

    def leave(self) -> None:
        """Close the window, and end the program."""
        if self._context is not None:
            with contextlib.suppress(Error):
                self._context.close()
            self._chromium.watches.remove(self.watch)
            self._context = None
        if self.program is not None and self.program.process.poll() is None:
            kill(self.program)

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """The program has gone, or the network between it and the browser: the browser may complain of that."""
        with self.watch.allowing(LOST):
            yield

    def tell(self, folder: Path) -> None:
        """Print the page and the end of the program's log."""
        for number, page in enumerate(self._context.pages if self._context is not None else []):
            show(page, f"{self.home}-{number}", folder)
        if self.log.exists():
            sys.stdout.write(f"--- the end of {self.log.name}\n{self.log.read_text(errors='replace')[-4000:]}\n")

    # -- what a person does --

    def button(self, name: str | re.Pattern[str], within: Page | Locator | None = None) -> Locator:
        """A button by its name: exact, unless it is a pattern."""
        where = self.page if within is None else within
        return where.get_by_role("button", name=name, exact=isinstance(name, str))

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press a button by its name."""
        self.button(name).click()

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.get_by_role("dialog")

    def choose_name(self, name: str | None = None) -> None:
        """The first run's first step; the home's name, if none is given."""
        name = name or self.home
        self.begin_choosing()
        self.page.get_by_label("Name", exact=True).fill(name)
        expect(self.page.get_by_text(f"{name} is free.")).to_be_visible()
        self.press("Continue")

    def begin_choosing(self) -> None:
        """From the welcome, if that is shown, to the field for the name."""
        begin = self.button("Choose a name")
        expect(begin.or_(self.page.get_by_label("Name", exact=True))).to_be_visible()
        if begin.is_visible():
            begin.click()

    def choose_passphrase(self, passphrase: str) -> list[str]:
        """The second step. Returns the recovery words, which are shown then."""
        self.page.get_by_label("Passphrase", exact=True).fill(passphrase)
        self.page.get_by_label("Repeat the passphrase").fill(passphrase)
        self.press("Continue")
        return self.words_shown()

    def words_shown(self) -> list[str]:
        """The recovery words, when they are shown."""
        expect(self.page.locator(".words li")).to_have_count(12)
        return self.page.locator(".words li").all_inner_texts()

    def give_back(self, words: list[str]) -> None:
        """The third step: the words that are asked for; then register."""
        self.press("I have written them down")
        fields = self.page.locator(".field")
        expect(fields).to_have_count(2)
        for field in fields.all():
            field.locator("input").fill(words[int(field.locator("label").inner_text().split()[1]) - 1])
        self.press("Register")

    def first_run(self, name: str | None = None, passphrase: str = "correct horse battery") -> list[str]:
        """The whole guided path, until the client is connected. Returns the recovery words."""
        self.choose_name(name)
        words = self.choose_passphrase(passphrase)
        self.give_back(words)
        self.wait_online()
        return words

    def find(self, name_or_link: str) -> None:
        """Find someone, through the dialog for it."""
        self.button("Find someone", self.page.get_by_role("navigation", name="People")).click()
        self.page.get_by_label("Name or link").fill(name_or_link)
        self.press("Find")

    def entry(self, name: str) -> Locator:
        """Someone's line in the list of contacts, or of requests."""
        return self.page.locator(f'.lists button.line[data-name="{name}"]')

    def turn_to(self, name: str) -> None:
        """Open a conversation that is in the list; returns when its texts are there."""
        self.entry(name).click()
        expect(self.page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
        expect(self.page.locator(".texts:not([aria-busy])")).to_be_visible()

    @property
    def box(self) -> Locator:
        """Where a text is written."""
        return self.page.locator(".composer textarea")

    def write(self, text: str) -> None:
        """Write a text and press Enter; returns when it is on disk."""
        self.box.fill(text)
        self.box.press("Enter")
        expect(self.box).to_have_value("")
        expect(self.page.locator("li.is-storing")).to_have_count(0)

    def lines(self) -> list[ShownLine]:
        """The texts that are shown, from top to bottom."""
        shown: list[dict[str, Any]] = self.page.evaluate(
            """() => [...document.querySelectorAll("li.text[data-row]")].map((line) => ({
                row: Number(line.dataset.row),
                text: line.querySelector(".words-of").textContent,
                mine: line.classList.contains("is-mine"),
                state: line.querySelector(".tick .unseen")?.textContent || "",
            }))"""
        )
        return [ShownLine(**line) for line in shown]

    def last(self) -> str:
        """The text that is shown last; empty if there is none."""
        return next((line.text for line in reversed(self.lines())), "")

    def line(self, text: str) -> Locator:
        """The line that holds exactly this text."""
        said = self.page.locator(".words-of", has_text=_exactly(text))
        return self.page.locator("li.text[data-row]").filter(has=said)

    def choose(self, text: str, action: str) -> None:
        """Choose something from a text's menu."""
        self.line(text).press("Enter")
        self.page.get_by_role("menuitem", name=action, exact=True).click()

    def about(self, name: str) -> Locator:
        """Open what there is about the person whose conversation is open."""
        panel = self.page.get_by_role("complementary", name=f"About {name}")
        if not panel.is_visible():
            self.press(f"About {name}")
        return panel

    def settings(self, page: str) -> Locator:
        """Open a page of the settings; the dialog."""
        self.press("Settings")
        self.dialog.get_by_role("button", name=page).click()
        return self.dialog

    def agree_on_a_direct_route(self, other: Someone) -> None:
        """Offer one to the person whose conversation is open, who accepts."""
        self.about(other.home).get_by_role("button", name="Direct route").click()
        expect(self.dialog.get_by_text("names the gateway")).to_be_visible()
        self.press("Show my address, and ask for theirs")
        other.press("See the offer")
        expect(other.dialog.get_by_text("names the gateway")).to_be_visible()
        other.press("Accept, and show my address")
        for person in (self, other):
            expect(person.page.locator(".talk .bar-line")).to_have_text("Direct route")
        self.page.keyboard.press("Escape")
        expect(self.page.get_by_role("complementary", name=f"About {other.home}")).to_have_count(0)

    def route_of(self, text: str) -> str:
        """The way a text took, as its details say."""
        self.choose(text, "Details")
        route = self.dialog.locator("dt", has_text="Route").locator("+ dd").inner_text()
        self.page.keyboard.press("Escape")
        expect(self.dialog).to_have_count(0)
        return route

    def expect_state(self, text: str, state: str | re.Pattern[str]) -> None:
        """Wait until a text of one's own has come so far."""
        expect(self.line(text).locator(".tick .unseen")).to_have_text(state)

    def expect_text(self, text: str) -> None:
        """Wait until a text is shown; once."""
        expect(self.line(text)).to_have_count(1)

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait for something that no single element shows."""
        for _ in range(int(PATIENCE_S / 0.1)):
            if holds():
                return
            self.page.wait_for_timeout(100)  # lets the browser's events in; what ends the waiting is the condition
        raise AssertionError(f"it did not come to it that {what}")


def _exactly(text: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(text)}$")


class People:
    """Makes people, and ends what they started."""

    def __init__(self, world: BrowserWorld, chromium: Chromium) -> None:
        self.world = world
        self.chromium = chromium
        self.present: list[Someone] = []

    def someone(self, home: str, **variables: str) -> Someone:
        """A person whose home has this name; nothing is started yet."""
        person = Someone(self.world, self.chromium, home, variables)
        self.present.append(person)
        return person

    def registered(self, stem: str, **context: Any) -> Someone:
        """A new person with a registered name, at their page."""
        name = self.world.name(stem)
        self.world.register(name)
        return self.someone(name).begin(**context)

    def pair(self, one: str = "alice", other: str = "bob") -> tuple[Someone, Someone]:
        """Two people who have looked each other up, each with the other's conversation open."""
        names = self.world.name(one), self.world.name(other)
        for name in names:
            self.world.register(name)
        self.world.acquaint(*names)
        first, second = (self.someone(name) for name in names)
        for person, peer in ((first, second), (second, first)):
            person.begin()
            person.turn_to(peer.home)
        return first, second

    def leave(self) -> None:
        """All go."""
        for person in self.present:
            person.leave()
        self.present.clear()


def chooser(what: str) -> tuple[random.Random, str]:
    """A source of choices, and what to say when a test fails with it: CHAT_SEED brings it back."""
    seed = int(os.environ.get("CHAT_SEED") or random.SystemRandom().randrange(2**32))
    return random.Random(seed), f"again: CHAT_SEED={seed} ({what})"
