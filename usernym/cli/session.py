"""From what was typed to a process that holds the home: this one, or the one that does already.

`Session.call` hands a command to the holder if there is one; else it takes the home, opens the client here, and serves
the home's control socket as long as it holds it.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from usernym import control
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.perform import ClientCommand, Deadline, handler, perform, request, result_of
from usernym.cli.terminal import note
from usernym.client import Client
from usernym.identity import Restore
from usernym.mixnets import transport_to
from usernym.protocol.cards import parse_card
from usernym.settings import PASSPHRASE_VARIABLE, ClientSettings, client_settings
from usernym.storage.client.store import ClientStore
from usernym.storage.errors import HomeInUse, PassphraseNeeded
from usernym.storage.keyfile import Protection

HOLDER_GRACE_S: Final = 5.0
"""How long a holder may take until it serves its socket: it derives a key first. Then it is a program without one."""
THIS_HOME: Final = "this home"
"""What a passphrase is for, in what a person reads."""


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for every command: from the command line, before settings are read."""

    home: Path
    config: Path | None = None
    json: bool = False
    no_passphrase: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    def client_settings(self) -> ClientSettings:
        """The client's settings, with the flags on top."""
        flags = dict(self.flags)
        if self.no_passphrase:
            flags["unprotected"] = True
        if flags.get("node") == "-":
            flags["node"] = sys.stdin.readline(4096).strip() or "-"
        return client_settings(self.home, self.config, flags=flags)


class Session:
    """One command's dealings with the process that holds its home. Leaving the context lets go of what it took."""

    def __init__(
        self,
        options: Options,
        *,
        name: str | None = None,
        on_words: Callable[[str], None] | None = None,
        hand_over: bool = True,
        restore: Restore | None = None,
    ) -> None:
        """`name` is for registering: only then may the home be new, and `on_words` gets the recovery words at once."""
        self._options = options
        self.settings = options.client_settings()
        self.deadline = Deadline(self.settings.timeout)
        self._name = name
        self._on_words = on_words
        self._hand_over = hand_over
        self._restore = restore
        self._stack = contextlib.ExitStack()
        self.client: Client | None = None
        """The client, if this process holds the home."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client = None
        self._stack.close()

    def call(self, command: ClientCommand) -> Any:
        """Have the command carried out, and return its value. Raises what `failure_of` explains."""
        grace = Deadline(min(HOLDER_GRACE_S, self.deadline.left()))
        while self.client is None:
            if self._hand_over:
                try:
                    return self._call_holder(command)
                except control.NobodyThere:
                    pass
                except control.HolderBusy:
                    if self.deadline.over:
                        raise
                    self.deadline.pause()
                    continue
            try:
                self.open()
            except HomeInUse:
                if grace.over or not self._hand_over:
                    raise
                grace.pause()
        return perform(self.client, command, self.deadline)

    def _call_holder(self, command: ClientCommand) -> Any:
        timeout = self.deadline.left()
        return result_of(control.ask(self._options.home, request(command, timeout), timeout))

    def open(self) -> Client:
        """Take the home: open the client in this process. Raises `HomeInUse` if another one has it."""
        options, settings = self._options, self.settings
        protection = ClientStore.protection(options.home)
        if protection is Protection.ABSENT:
            self._check_new_home()
        if settings.mixnet is not None:
            transport_to(
                settings.mixnet, options.home
            )  # before anything is written: a mixnet that is none must not be remembered
        client = Client(
            options.home,
            name=self._name,
            node=settings.node,
            mixnet=settings.mixnet,
            passphrase=passphrase_for(protection, settings.unprotected),
            unprotected=settings.unprotected and protection is not Protection.PASSPHRASE,
            accept_strangers=settings.accept_strangers is not False,
            restore=self._restore,
        )
        self._stack.enter_context(client)
        if client.recovery_words is not None and self._on_words is not None:
            self._on_words(client.recovery_words)
            client.recovery_words = None
        server = control.ControlServer(
            options.home, handler(lambda command, deadline: perform(client, command, deadline))
        )
        self._stack.enter_context(server)
        self.client = client
        return client

    def _check_new_home(self) -> None:
        home, settings = self._options.home, self.settings
        if self._name is None:
            raise CommandFailed(
                Exit.STORAGE,
                "no_account",
                f"there is no account in {home}: `usernym register NAME --mixnet ws://… --node CARD` makes one,"
                " and --home names another folder",
            )
        missing = [flag for flag, value in (("--mixnet", settings.mixnet), ("--node", settings.node)) if value is None]
        if missing:
            raise CommandFailed(
                Exit.USAGE, "settings", f"a new home needs {' and '.join(missing)}: see `usernym --help`"
            )
        parse_card(settings.node or "")


def passphrase_for(protection: Protection, unprotected: bool, what: str = THIS_HOME) -> str | None:
    """The passphrase, from the environment or from a person; None where there is none by choice."""
    if unprotected and protection is not Protection.PASSPHRASE:
        return None
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        if not given:
            raise PassphraseNeeded(f"{PASSPHRASE_VARIABLE} is empty")
        return given
    if protection is Protection.NONE:
        return None
    if not _has_terminal():
        raise PassphraseNeeded(f"{what} needs a passphrase (or, when it is made, --no-passphrase)")
    if protection is Protection.PASSPHRASE:
        return getpass.getpass("Passphrase: ") or None
    return _new_passphrase(what)


def _new_passphrase(what: str) -> str:
    note(f"The passphrase protects {what}: keys and messages. Nobody can reset it.")
    while True:
        first = getpass.getpass("New passphrase: ")
        if not first:
            note("A passphrase has at least one character; --no-passphrase is the choice to have none.")
        elif getpass.getpass("Once more: ") != first:
            note("These two differ; please try again.")
        else:
            return first


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
