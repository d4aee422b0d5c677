"""From a command to the process that holds its home: this one, or another that does already.

`Session.call` hands a command to the holder if there is one. Otherwise it takes the home, opens the client here, and
serves the home's control socket as long as it holds the home. `ask_node` hands one to a running node.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

import usernym
from usernym import control
from usernym.cli.command import (
    Answer,
    ClientCommand,
    Command,
    Deadline,
    Entry,
    Invocation,
    NodeCommand,
    Option,
    Said,
    answer_type,
)
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import CONTROL_VERSION, client_handler
from usernym.cli.terminal import sign_of_life
from usernym.settings import PASSPHRASE_VARIABLE, ClientSettings, NodeSettings

if TYPE_CHECKING:
    from usernym import Client, Restore
    from usernym.control_server import ControlServer
    from usernym.storage.keyfile import Protection

HOLDER_GRACE_S: Final = 5.0
"""How long a holder may take until it serves its socket: it derives a key first. After that it is a program without.
Also how long a command that must have the home itself, as `listen`, waits for one that holds it."""
ANSWER_S_MAX: Final = 1.0
ANSWER_SHARE: Final = 0.2
"""How much of its time a command leaves for the holder's answer, which says more than that none came in time."""
WAITING: Final = "waiting for an answer"

Ask = type[ClientCommand[Answer]] | Callable[["Session", Invocation[ClientSettings]], ClientCommand[Answer]]


def asks(
    name: str, summary: str, ask: Ask[Any], said: Said, *options: Option, prints: tuple[type[msgspec.Struct], ...] = ()
) -> Entry:
    """The entry of a command that has one `ClientCommand` performed, and shows its answer.

    `ask` is the command's class, whose fields are filled from the arguments of the same names; or a function that makes
    it, for one that asks the person first.
    """

    def run(typed: Invocation[ClientSettings]) -> None:
        with Session(typed) as session:
            wanted = filled(ask, typed) if isinstance(ask, type) else ask(session, typed)
            reply = session.call(wanted)
        typed.show(reply, said)

    answers: tuple[type[msgspec.Struct], ...] = (answer_type(ask),) if isinstance(ask, type) else ()
    return Entry(name, summary, run, options, "client", prints or answers)


def filled(command: type[ClientCommand[Answer]], typed: Invocation[Any]) -> ClientCommand[Answer]:
    """The command, with the arguments that have its fields' names."""
    given = vars(typed.given)
    return command(**{field: given[field] for field in command.__struct_fields__ if field in given})


class Session:
    """One command's work with the process that holds its home. Leaving the context releases what it took."""

    def __init__(
        self,
        typed: Invocation[ClientSettings],
        *,
        name: str | None = None,
        on_words: Callable[[str], None] = lambda _words: None,
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
        self._grace: Deadline | None = None
        """How much longer another process may have the home."""
        self._passphrases: dict[Protection, str | None] = {}
        """What a person is asked for once, however often the home is tried."""
        self.client: Client | None = None
        """The client, if this process holds the home."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client = None
        self._stack.close()

    def call(self, command: ClientCommand[Answer], *, quiet: bool = False) -> Answer:
        """Have the command performed, and return its answer. Raises what `failure_of` explains.

        With `quiet` there is no sign of life: the caller shows one.
        """
        quiet = quiet or self._typed.json
        while self.client is None:
            if self._hand_over:
                with contextlib.suppress(control.NoHolder), sign_of_life(WAITING, quiet=quiet):
                    return ask_holder(self._typed.home, command, self.deadline)
            self._try_to_open()
        with sign_of_life(WAITING, quiet=quiet):
            return command.perform(self.client, self.deadline)

    def open(self) -> Client:
        """Take the home: open the client in this process. Raises `HomeInUse` if another process has it, and does not
        end within `HOLDER_GRACE_S`, as a short command does."""
        while self.client is None:
            self._try_to_open()
        return self.client

    def _try_to_open(self) -> None:
        """Take the home, or wait for a moment if another process has it."""
        from usernym.control_server import ControlServer

        try:
            client = self._stack.enter_context(self._open_client())
        except usernym.HomeInUse:
            self._grace = self._grace or Deadline(min(HOLDER_GRACE_S, self.deadline.left()))
            if self._grace.over:
                raise
            self._grace.pause()
            return
        words = None if self._name is None else client.words_to_show()
        if words is not None:
            self._on_words(words)  # printed and flushed; raises if that fails
            client.take_recovery_words()
        self._server = self._stack.enter_context(ControlServer(self._typed.home, client_handler(client)))
        self.client = client

    def _open_client(self) -> Client:
        """The client, with the settings and the passphrase that were given."""
        from usernym.cli.passphrases import THIS_HOME, passphrase_for
        from usernym.storage.client.store import ClientStore
        from usernym.storage.keyfile import Protection

        home, settings = self._typed.home, self._typed.settings
        unprotected = settings.unprotected or getattr(self._typed.given, "no_passphrase", False)
        protection = ClientStore.protection(home)
        if protection is Protection.ABSENT:
            self._check_new_home()
        if protection not in self._passphrases:
            asked = passphrase_for(protection, unprotected, THIS_HOME, PASSPHRASE_VARIABLE)
            self._passphrases[protection] = asked
        return usernym.Client.open(
            home,
            name=self._name,
            node=settings.node,
            mixnet=settings.mixnet,
            passphrase=self._passphrases[protection],
            unprotected=unprotected and protection is not Protection.PASSPHRASE,
            accept_strangers=settings.accept_strangers is not False,
            witnesses=settings.witnesses,
            witnesses_needed=settings.witnesses_needed,
            restore=self._restore,
        )

    def _check_new_home(self) -> None:
        """Raise `CommandFailed` unless the home may be made, and all that it needs is given."""
        from usernym.protocol.cards import parse_card

        if self._name is None:
            text = (
                f"there is no account in {self._typed.home}: `usernym register NAME --mixnet MIXNET --node CARD` makes"
                " one, and --home names another folder"
            )
            raise CommandFailed(Exit.STORAGE, "no_account", text)
        given = {"--mixnet": self._typed.settings.mixnet, "--node": self._typed.settings.node}
        if missing := [flag for flag, value in given.items() if value is None]:
            text = f"a new home needs {' and '.join(missing)}: see `usernym register --help`"
            raise CommandFailed(Exit.USAGE, "settings", text)
        parse_card(given["--node"] or "")

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


def ask_node(typed: Invocation[NodeSettings], command: NodeCommand[Answer]) -> Answer:
    """Ask the node that runs in the home; it may still be starting. Raises `NotReady`."""
    deadline = Deadline(typed.settings.timeout)
    with sign_of_life("waiting for the node", quiet=typed.json):
        while True:
            try:
                return ask_holder(typed.home, command, deadline)
            except control.NoHolder:
                if deadline.over:
                    text = f"no node runs in {typed.home}: `usernym node run` starts one; --home names another folder"
                    raise CommandFailed(Exit.NO_ANSWER, "no_answer", text) from None
                deadline.pause()


def ask_holder(home: Path, command: Command[Answer], deadline: Deadline) -> Answer:
    """Hand the command to the process that holds the home. Raises `NoHolder` or `CommandFailed`."""
    while True:
        timeout = deadline.left()
        try:
            handed = handed_over(command, timeout - min(ANSWER_S_MAX, timeout * ANSWER_SHARE))
            return answer_in(control.ask(home, handed, timeout), answer_type(type(command)))
        except control.HolderBusy:
            if deadline.over:
                raise
            deadline.pause()


def handed_over(command: Command[Answer], timeout: float) -> control.Answer:
    """What goes over the control socket for a command; see `usernym.cli.holder.HandedOver`."""
    return {"version": CONTROL_VERSION, "timeout": timeout, "command": msgspec.to_builtins(command)}


def answer_in(answer: control.Answer, wanted: type[Answer]) -> Answer:
    """What an answer of the control socket says. Raises `CommandFailed` if it is a failure."""
    if (failed := answer.get("failed")) is not None:
        try:
            raise CommandFailed(
                Exit(failed["exit"]), str(failed["kind"]), str(failed["text"]), dict(failed.get("extra", {}))
            )
        except (KeyError, TypeError, ValueError):
            pass
    with contextlib.suppress(KeyError, msgspec.ValidationError):
        return msgspec.convert(answer["result"], wanted)
    text = "the process that holds this home does not understand this command: is it another version?"
    raise CommandFailed(Exit.STORAGE, "holder_differs", text)
