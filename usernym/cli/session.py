"""From a command to the process that holds its home: this one, or another that does already.

`Session.call` hands a command to the holder if there is one. Otherwise it takes the home, opens the client here, and
serves the home's control socket as long as it holds the home.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import msgspec

import usernym
from usernym import control
from usernym.cli.command import Answer, ClientCommand, Deadline, Invocation, NodeCommand, answer_type
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import CONTROL_VERSION, client_handler
from usernym.cli.terminal import sign_of_life
from usernym.settings import ClientSettings

if TYPE_CHECKING:
    from usernym import Client, Restore
    from usernym.control_server import ControlServer

HOLDER_GRACE_S: Final = 5.0
"""How long a holder may take until it serves its socket: it derives a key first. After that it is a program without."""
WAITING: Final = "waiting for an answer"


class Session:
    """One command's work with the process that holds its home. Leaving the context releases what it took."""

    def __init__(
        self,
        typed: Invocation[ClientSettings],
        *,
        name: str | None = None,
        on_words: Callable[[str], None] | None = None,
        hand_over: bool = True,
        restore: Restore | None = None,
    ) -> None:
        """`name` is for registering: only then may the home be new, and `on_words` gets the recovery words at once."""
        self._typed = typed
        self.deadline = Deadline(typed.settings.timeout)
        self._name = name
        self._on_words = on_words
        self._hand_over = hand_over
        self._restore = restore
        self._stack = contextlib.ExitStack()
        self._server: ControlServer | None = None
        self.client: Client | None = None
        """The client, if this process holds the home."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client = None
        self._stack.close()

    def call(self, command: ClientCommand[Answer]) -> Answer:
        """Have the command performed, and return its answer. Raises what `failure_of` explains."""
        grace = Deadline(min(HOLDER_GRACE_S, self.deadline.left()))
        while self.client is None:
            if self._hand_over:
                with contextlib.suppress(control.NoHolder), sign_of_life(WAITING, quiet=self._typed.json):
                    return ask_holder(self._typed.home, command, self.deadline)
            if not self._could_open(grace):
                grace.pause()
        with sign_of_life(WAITING, quiet=self._typed.json):
            return command.perform(self.client, self.deadline)

    def _could_open(self, grace: Deadline) -> bool:
        from usernym.storage.errors import HomeInUse

        try:
            self.open()
        except HomeInUse:
            if grace.over or not self._hand_over:
                raise
            return False
        return True

    def open(self) -> Client:
        """Take the home: open the client in this process. Raises `HomeInUse` if another process has it."""
        from usernym.cli.opening import open_client
        from usernym.control_server import ControlServer

        client = self._stack.enter_context(open_client(self._typed, self._name, self._restore))
        words = client.take_recovery_words()
        if words is not None and self._on_words is not None:
            self._on_words(words)
        self._server = self._stack.enter_context(ControlServer(self._typed.home, client_handler(client)))
        self.client = client
        return client

    def discard_account(self) -> bool:
        """Close the client and remove its account, if this process opened it and it was never registered."""
        from usernym.account_home import discard

        if self.client is None or self._server is None:
            return False
        self._server.close()
        try:
            discard(self.client, self._typed.home)
        except (usernym.AccountStays, usernym.StorageError, OSError):
            return False
        return True


def ask_holder(home: Path, command: ClientCommand[Answer] | NodeCommand[Answer], deadline: Deadline) -> Answer:
    """Hand the command to the process that holds the home. Raises `NoHolder` or `CommandFailed`."""
    while True:
        timeout = deadline.left()
        try:
            return answer_in(control.ask(home, handed_over(command, timeout), timeout), answer_type(command))
        except control.HolderBusy:
            if deadline.over:
                raise
            deadline.pause()


def handed_over(command: ClientCommand[Answer] | NodeCommand[Answer], timeout: float) -> control.Answer:
    """What goes over the control socket for a command; see `usernym.cli.holder.HandedOver`."""
    return {"version": CONTROL_VERSION, "timeout": timeout, "command": msgspec.to_builtins(command)}


def answer_in(answer: control.Answer, wanted: type[Answer]) -> Answer:
    """What an answer of the control socket says. Raises `CommandFailed` if it is a failure."""
    if (failed := answer.get("failed")) is not None:
        try:
            raise CommandFailed(Exit(failed["exit"]), str(failed["kind"]), str(failed["text"]))
        except (KeyError, TypeError, ValueError):
            pass
    with contextlib.suppress(KeyError, msgspec.ValidationError):
        return msgspec.convert(answer["result"], wanted)
    raise CommandFailed(
        Exit.STORAGE,
        "holder_differs",
        "the process that holds this home does not understand this command: is it another version?",
    )
