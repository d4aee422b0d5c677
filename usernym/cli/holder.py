"""The process that holds a home: it performs commands, its own and those that come over the control socket."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, Union

import msgspec

import usernym
from usernym.cli import grammar
from usernym.cli.command import ClientCommand, Deadline, NodeCommand
from usernym.cli.failures import CommandFailed, Exit, failure_of
from usernym.protocol.names import canonical

if TYPE_CHECKING:
    from usernym import Client, ContactView, Node
    from usernym.control import Answer
    from usernym.control_server import Handler

T = TypeVar("T")
Find = Callable[[str], list[T]]

CONTROL_VERSION: Final = 1
ID_DIGITS_MIN: Final = 8
"""Digits of an id that name a text or a file: lists show this many."""
TIMEOUT_S_MAX: Final = 366 * 86_400
"""A year, as for all durations."""


class HandedOver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command on its way over the control socket."""

    version: int
    timeout: float
    """Seconds that its user will wait."""
    command: msgspec.Raw
    """A `ClientCommand` or a `NodeCommand`, distinguished by its field `do`."""


def handler(perform: Callable[[Any, Deadline], Any]) -> Handler:
    """A control socket's handler: decodes a line, lets `perform` do the work, and turns what it raises into words."""

    def handle(line: bytes) -> Answer:
        try:
            handed = _decoder.decode(line)
            command = _commands_decoder().decode(handed.command)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {"garbage": True}
        if handed.version != CONTROL_VERSION or not 0 < handed.timeout <= TIMEOUT_S_MAX:
            return {"garbage": True}
        try:
            return {"result": msgspec.to_builtins(perform(command, Deadline(handed.timeout)))}
        except Exception as error:  # noqa: BLE001 - the caller gets the error
            failed = failure_of(error)
            said = {"exit": int(failed.exit_code), "kind": failed.kind, "text": failed.text, "extra": failed.extra}
            return {"failed": said}

    return handle


_decoder: Final = msgspec.json.Decoder(HandedOver)


@functools.cache
def _commands_decoder() -> msgspec.json.Decoder[Any]:
    """Decodes everything that may be handed over. Made for the first command that is: it loads all their modules."""
    for name in grammar.names():
        grammar.entry(name)
    kinds: Any = Union[(*ClientCommand.__subclasses__(), *NodeCommand.__subclasses__())]
    return msgspec.json.Decoder(kinds)


def client_handler(client: Client) -> Handler:
    """The control socket's handler of a client's home."""
    return _handler_of(client, ClientCommand, "this is a client's home, not a node's: name another --home")


def node_handler(node: Node) -> Handler:
    """The control socket's handler of a node's home."""
    return _handler_of(node, NodeCommand, "this is a node's home, not a client's: name another --home")


def _handler_of(held: Client | Node, kind: type[Any], otherwise: str) -> Handler:
    def perform(command: Any, deadline: Deadline) -> Any:
        if not isinstance(command, kind):
            raise CommandFailed(Exit.USAGE, "settings", otherwise)
        return command.perform(held, deadline)

    return handler(perform)


# -- what commands on a client have in common -------------------------------------------------------------------------


def retry_until(client: Client, call: Callable[[float], T], deadline: Deadline) -> T:
    """Try until there is an answer or the time is over: the mixnet or the node may still be starting."""
    while True:
        try:
            return call(deadline.left())
        except usernym.NodeSilent:
            if deadline.over:
                raise _unanswered(client, deadline) from None
            deadline.pause()
        except usernym.NotReady:
            raise _unanswered(client, deadline) from None


def _unanswered(client: Client, deadline: Deadline) -> CommandFailed:
    """No answer came in time; say which of the two connections to look at."""
    mixnet = client.whoami().mixnet
    if not client.counters()["io"].get("requests_sent"):
        text = (
            f"within {deadline.timeout:.3g} s no mixnet client could be used at {mixnet}: is nym-client (or"
            " `usernym mixnet`) running there, and is no other program connected to it?"
        )
        return CommandFailed(Exit.NO_ANSWER, "no_mixnet", text)
    text = f"no answer from the node within {deadline.timeout:.3g} s: is it running, on the mixnet of {mixnet}?"
    return CommandFailed(Exit.NO_ANSWER, "no_answer", text)


def first_lookup(client: Client, name: str, deadline: Deadline, what: str, *, online: bool) -> None:
    """Find someone who is not a contact yet, going online for it if `online` says so. Raises `CommandFailed`, which
    says that `what` is not kept: there is no key to keep it for before."""
    try:
        if online:
            retry_until(client, client.go_online, deadline)
        look_up(client, name, deadline)
    except CommandFailed as failed:
        if failed.exit_code is Exit.NO_ANSWER:
            failed.text += f"; the {what} was NOT kept: {name} is not among your contacts yet"
        raise


def kept(error: Exception, what: str, id_: str, state: str, way_out: str) -> CommandFailed:
    """The failure, with what happens to a text or a file: without an answer it is kept, and goes later."""
    failed = failure_of(error)
    if failed.exit_code is not Exit.NO_ANSWER:
        return failed
    failed.text += (
        f"; the {what} is kept here ({id_[:ID_DIGITS_MIN]}) and sent when this home is online, as by `usernym listen`"
        f" or `usernym login`; `{way_out} {id_[:ID_DIGITS_MIN]}` gives it up"
    )
    failed.extra |= {"id": id_, "state": state}
    return failed


def contact_of(client: Client, name: str) -> ContactView | None:
    """The contact if it is known here. Raises `CommandFailed` for the user's own name."""
    if canonical(name) == client.name:
        raise CommandFailed(Exit.REFUSED, "that_is_you", "that is you: `usernym whoami` shows your own account")
    try:
        return client.contact(name)
    except KeyError:
        return None


def look_up(client: Client, name: str, deadline: Deadline) -> ContactView:
    """The contact as the node has it. Raises `CommandFailed`, also for the user's own name."""
    contact_of(client, name)
    return retry_until(client, lambda timeout: client.look_up(name, timeout), deadline)


def check_known(client: Client, name: str) -> None:
    """Raise `CommandFailed` unless this is a contact, or someone who asked to be one."""
    if contact_of(client, name) is None:
        raise CommandFailed(Exit.REFUSED, "no_contact", "no one of this name is among your contacts and requests")


def one_named(client: Client, name: str, digits: str, what: Literal["text", "file"], whose: str, found: Find[T]) -> T:
    """The one text or file with this contact whose id begins with these digits: `found` gets them, and finds all.

    Raises `CommandFailed`.
    """
    check_known(client, name)
    if len(digits) < ID_DIGITS_MIN:
        raise CommandFailed(Exit.USAGE, "settings", f"name a {what} by at least {ID_DIGITS_MIN} digits of its id")
    several = found(digits.lower())
    if len(several) != 1:
        why = "none" if not several else "more than one"
        text = f"{why} of {whose} {name} has an id that begins with these digits"
        raise CommandFailed(Exit.REFUSED, f"no_{what}", text)
    return several[0]
