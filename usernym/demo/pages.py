"""`usernym demo --chat`: a mixnet, a node and two people's chat pages on one machine, for a newcomer to play with.

Alice is at her first run, as a newcomer is. Bob is registered already, so that there is someone to find, and the first
run has to be gone through only once.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from usernym.cli.browser import open_pages
from usernym.cli.demo import DemoPageJson, DemoReadyJson
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.mixnet import NO_ANONYMITY
from usernym.cli.signals import Interruptions
from usernym.cli.terminal import print_err, print_json, print_line
from usernym.demo.processes import Processes, Running, demo_failed, demo_folder

WATCH_S: Final = 0.5
"""How often the processes, and the terminal for Enter, are looked at."""
_WHO: Final = ("node", "alice", "bob")
"""In the order of the emulated mixnet's clients."""
_FIRST_STEPS: Final = (
    "Alice's page: choose a name and a passphrase, keep the recovery words for a minute, register.",
    "Alice's page: “+”, bob, “Find”; write to him. Bob's page: accept her request, and answer.",
    "Both: “Confirmed by the node” shows the same sixty digits. Then try “Direct route”, in “About” them.",
)


@dataclass(slots=True)
class PersonsPage:
    """A person's chat page, as a process."""

    who: str
    is_registered: bool
    running: Running
    _used: set[str] = field(default_factory=set)

    def address(self) -> str:
        """An address that opens the page and was not given out before."""
        if self._used:
            assert self.running.process.stdin is not None, "started with a pipe"
            with contextlib.suppress(BrokenPipeError):  # it has ended: reported below
                self.running.process.stdin.write("\n")
                self.running.process.stdin.flush()
        printed = self.running.wait_for(
            "its address", lambda printed: printed.get("address", "") not in {"", *self._used}
        )
        address = str(printed["address"])
        self._used.add(address)
        return address


def demo_chat(*, as_json: bool, browser: bool) -> None:
    """Serve both pages until Ctrl-C. Raises `CommandFailed` when something does not start, or ends by itself."""
    if importlib.util.find_spec("starlette") is None:
        raise CommandFailed(
            Exit.USAGE,
            "chat_not_installed",
            "the chat page needs more (starlette): in a checkout of usernym, pip install '.[chat]'",
        )
    with (
        Interruptions() as interruptions,
        demo_folder(interruptions) as folder,
        Processes(folder, interruptions) as processes,
    ):
        if not as_json:
            print_err("A mixnet, a node and two pages are starting …")
        running, pages = _set_up(processes)
        try:
            _announce(pages, folder, as_json=as_json, browser=browser)
            _watch(running, pages, as_json=as_json)
        except KeyboardInterrupt:
            if not as_json:
                print_err("\nEnding everything …")


def _set_up(processes: Processes) -> tuple[list[Running], list[PersonsPage]]:
    mixnet = processes.start("mixnet", "mixnet", "--first-port", "0", "--clients", str(len(_WHO)))
    ready = mixnet.wait_for("that it is ready", lambda printed: printed.get("event") == "ready")
    mixnets = {who: client["mixnet"] for who, client in zip(_WHO, ready["clients"], strict=True)}
    node = processes.start("node", "--home", "node", "node", "run", "--mixnet", mixnets["node"])
    card = processes.run("node", "card", home="node").printed["card"]
    (processes.folder / "node.card").write_text(card + "\n")
    alice = _start_page(processes, "alice", mixnets["alice"])  # it starts while Bob registers
    processes.run("register", "bob", "--mixnet", mixnets["bob"], "--node", "node.card", home="bob")
    pages = [alice, _start_page(processes, "bob", mixnets["bob"])]
    return [mixnet, node, *(page.running for page in pages)], pages


def _start_page(processes: Processes, who: str, mixnet: str) -> PersonsPage:
    arguments = ("--home", who, "chat", "--no-browser", "--mixnet", mixnet, "--node", "node.card")
    return PersonsPage(who, who == "bob", processes.start(f"{who}'s page", *arguments, is_typed_to=True))


def _announce(pages: list[PersonsPage], folder: Path, *, as_json: bool, browser: bool) -> None:
    if as_json:
        _print_addresses(pages, as_json=True)
        return
    print_line(f"\n{NO_ANONYMITY}\n")
    _print_addresses(pages, as_json=False)
    print_line("\nTry first:")
    for number, step in enumerate(_FIRST_STEPS, 1):
        print_line(f"  {number}. {step}")
    print_line("\nEach address opens its page once; the browser that opened it may come back without it.")
    if sys.stdin is not None and sys.stdin.isatty():
        print_line("Press Enter for two new addresses.")
    print_line("Ctrl-C ends everything, and deletes it.")
    if browser:
        open_pages([(page.address(), folder / page.who) for page in pages])


def _print_addresses(pages: list[PersonsPage], *, as_json: bool) -> None:
    found = [(page, page.address()) for page in pages]
    if as_json:
        shown = [DemoPageJson(page.who, page.is_registered, address) for page, address in found]
        print_json(DemoReadyJson(shown, anonymity=False))
        return
    for page, address in found:
        print_line(f"  {page.who.title()}'s page: {address}")
        print_line(
            "    (bob has his name already, and waits)" if page.is_registered else "    (she is new: the first run)"
        )


def _watch(running: list[Running], pages: list[PersonsPage], *, as_json: bool) -> None:
    """Until Ctrl-C: see that all still runs; Enter on the terminal shows new addresses."""
    terminal = [sys.stdin] if sys.stdin is not None and sys.stdin.isatty() else []
    while True:
        for each in running:
            if each.process.poll() is not None:
                raise demo_failed(f"{each.name} {each.how_ended()}")
        typed, _, _ = select.select(terminal, [], [], WATCH_S)
        # In the background the line is the shell's, and reading it would stop the demo.
        if typed and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp():
            if not sys.stdin.readline():
                terminal = []
                continue
            _print_addresses(pages, as_json=as_json)
