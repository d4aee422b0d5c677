"""What client commands do, once it is settled which process does it: typed commands in, plain values out.

A command is carried out by the process that holds the home. That may be the one in which it was typed, or another (a
`listen`, say) to which it came over the control socket; either way `perform` is what runs, and its value is printed by
the process in which it was typed.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from usernym.actors.events import DeliveryChanged
from usernym.cli.failures import CommandFailed, Exit, failure_of, refusal_text
from usernym.cli.perform_base import Deadline, contact_of, insist, known, look_up
from usernym.cli.perform_texts import perform_text
from usernym.cli.remote import (
    Cancel,
    Card,
    ChangePassphrase,
    ClientCommand,
    Contacts,
    Decide,
    Decision,
    DeleteAccount,
    Disappear,
    Erase,
    Export,
    Handshake,
    History,
    Import,
    Link,
    Login,
    Lookup,
    NodeCommand,
    Register,
    ReplaceIdentity,
    Requests,
    Retry,
    Search,
    Send,
    Show,
    Status,
    Step,
    Verify,
    WhoAmI,
)
from usernym.client import Client
from usernym.control import Answer
from usernym.node import NotReady
from usernym.protocol.links import is_link
from usernym.protocol.names import canonical
from usernym.storage.client.types import DeliveryState, HandshakeState
from usernym.views import ContactView

T = TypeVar("T")

__all__ = [
    "Cancel", "Card", "ChangePassphrase", "ClientCommand", "Contacts", "Deadline", "Decide", "Decision",
    "DeleteAccount", "Disappear", "Erase", "Export", "Handshake", "History", "Import", "Link", "Login", "Lookup",
    "NodeCommand", "Register", "ReplaceIdentity", "Requests", "Retry", "Search", "Send", "Show", "Status", "Step",
    "Verify", "WhoAmI", "insist",
]  # fmt: skip

CONTROL_VERSION: Final = 1
DIRECT_WORD_S: Final = 10.0
"""How long an acceptance, which goes straight to the peer, waits for the peer's word that it came."""
TEXTS_MAX: Final = 10_000


class HandedOver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command on its way over the control socket."""

    version: int
    timeout: float
    command: ClientCommand | NodeCommand


_decoder: Final = msgspec.json.Decoder(HandedOver)


def request(command: ClientCommand | NodeCommand, timeout: float) -> Answer:
    """What goes over the control socket for `command`."""
    value: Answer = msgspec.to_builtins(HandedOver(CONTROL_VERSION, timeout, command))
    return value


def result_of(answer: Answer) -> Any:
    """The value in an answer from the control socket. Raises `CommandFailed` if it is a failure."""
    if "failed" not in answer:
        if "result" not in answer:
            raise CommandFailed(
                Exit.STORAGE,
                "holder_differs",
                "the process that holds this home does not understand this command: is it another version?",
            )
        return answer["result"]
    failed = answer["failed"]
    try:
        raise CommandFailed(Exit(failed["exit"]), str(failed["kind"]), str(failed["text"]))
    except (KeyError, TypeError, ValueError):
        raise CommandFailed(Exit.INTERNAL, "internal", "the process that holds this home answers nonsense") from None


def handler(
    carry_out: Callable[[ClientCommand | NodeCommand, Deadline], Any],
) -> Callable[[bytes], Answer]:
    """A control socket's handler: decodes a line, lets `carry_out` do the work, and turns what it raises into words."""

    def handle(line: bytes) -> Answer:
        try:
            handed = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {"garbage": True}
        if handed.version != CONTROL_VERSION or not 0 < handed.timeout <= 366 * 86_400:
            return {"garbage": True}
        try:
            return {"result": carry_out(handed.command, Deadline(handed.timeout))}
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            failed = failure_of(error)
            return {"failed": {"exit": int(failed.exit_code), "kind": failed.kind, "text": failed.text}}

    return handle


# -- carrying out -----------------------------------------------------------------------------------------------------


def perform(client: Client, command: ClientCommand | NodeCommand, deadline: Deadline) -> Any:
    """Carry out a command. Returns what JSON can say; raises what `failure_of` explains."""
    match command:
        case Register(name):
            if canonical(name) != client.name:
                raise CommandFailed(
                    Exit.USAGE, "settings", "this home belongs to another name; choose another home for this one"
                )
            insist(client, client.register, deadline)
            return whoami(client)
        case Login(card):
            if card is not None:
                client.take_card(card, deadline.left())
            insist(client, client.go_online, deadline)
            return whoami(client)
        case ReplaceIdentity(words):
            insist(client, lambda timeout: client.replace_identity(words, timeout), deadline)
            return whoami(client)
        case DeleteAccount():
            held_until = insist(client, client.delete_account, deadline)
            return whoami(client) | {"held_until": held_until}
        case ChangePassphrase(old, new):
            client.change_passphrase(old, new, unprotected=new is None)
            return whoami(client)
        case Export(folder, passphrase):
            client.export_backup(folder, passphrase)
            return {"backup": folder}
        case Import(folder, passphrase):
            return dataclasses.asdict(client.import_backup(folder, passphrase))
        case WhoAmI():
            return whoami(client)
        case Link():
            return {"name": client.name, "link": client.link()}
        case Lookup(link) if is_link(link):
            return contact_value(insist(client, lambda timeout: client.add_link(link, timeout), deadline))
        case Lookup(name):
            return contact_value(look_up(client, name, deadline))
        case Show(name):
            return contact_value(contact_of(client, name) or look_up(client, name, deadline))
        case Contacts():
            return [contact_value(contact) for contact in client.contacts()]
        case Requests(declined):
            return [dataclasses.asdict(request) for request in client.requests(declined=declined)]
        case Decide(name, decision):
            return _decide(client, name, decision)
        case Verify(name, verified, identity_key):
            if contact_of(client, name) is None:
                look_up(client, name, deadline)
            client.set_verified(name, verified, identity_key=identity_key)
            return contact_value(client.contact(name))
        case Send() | Retry() | Cancel() | History() | Search() | Erase() | Disappear():
            return perform_text(client, command, deadline)
        case Handshake(name, step, direct_only):
            return _handshake(client, canonical(name), step, direct_only, deadline)
        case _:
            raise CommandFailed(Exit.USAGE, "settings", "this home is a client's, not a node's: name another --home")


def whoami(client: Client) -> Answer:
    """Who the home belongs to."""
    return dataclasses.asdict(client.whoami())


def contact_value(contact: ContactView) -> Answer:
    """A contact, for JSON."""
    return dataclasses.asdict(contact)


def _decide(client: Client, name: str, decision: Decision) -> Answer:
    known(client, name)
    {"accept": client.accept, "decline": client.decline, "block": client.block}[decision](name)
    return contact_value(client.contact(name))


def _handshake(client: Client, name: str, step: Step, direct_only: bool | None, deadline: Deadline) -> Answer:
    contact = contact_of(client, name)
    outcome = "unchanged"
    if step != "status":
        insist(client, client.go_online, deadline)
    if step == "accept":
        contact = _await_offer(client, name, deadline)
    elif contact is None:
        contact = look_up(client, name, deadline)
    if direct_only is not None:
        client.set_direct_only(name, direct_only)
    if step == "offer" or (step == "accept" and contact.handshake is not HandshakeState.ACTIVE) or step == "revoke":
        outcome = _take_step(client, name, step, deadline)
    return contact_value(client.contact(name)) | {"outcome": outcome}


def _await_offer(client: Client, name: str, deadline: Deadline) -> ContactView:
    """The contact whose offer is here; it may still be on its way."""
    while True:
        contact = contact_of(client, name)
        if contact is not None and contact.handshake in (HandshakeState.OFFER_RECEIVED, HandshakeState.ACTIVE):
            return contact
        if deadline.over:
            raise CommandFailed(Exit.NO_ANSWER, "no_offer", f"no offer of theirs came within {deadline.timeout:.3g} s")
        deadline.pause()


def _take_step(client: Client, name: str, step: Step, deadline: Deadline) -> str:
    """Take the step, and wait until it is out. Returns how far it got."""
    calls = {"offer": client.offer_handshake, "accept": client.accept_handshake, "revoke": client.revoke_handshake}
    # An offer when theirs is here already is an acceptance, and goes the same way.
    accepting = client.contact(name).handshake is HandshakeState.OFFER_RECEIVED and step != "revoke"
    patience = Deadline(min(DIRECT_WORD_S, deadline.left())) if accepting else deadline
    with contextlib.closing(client.events(patience.left())) as events:
        calls[step](name, timeout=deadline.left())
        for event in events:
            if isinstance(event, DeliveryChanged) and event.recipient == name and not _is_text(client, name, event):
                return _outcome(event)
            if patience.over:
                break
    if accepting:
        # It is on disk, and was handed to the mixnet: whoever is away gets it from there, or when we send it again.
        return "sent"
    raise NotReady(
        f"the node has not accepted it within {deadline.timeout:.3g} s; it goes out when this home is online"
    )


def _outcome(event: DeliveryChanged) -> str:
    if event.state is not DeliveryState.REFUSED:
        return str(event.state)
    if event.reason is None:
        raise CommandFailed(Exit.REFUSED, "refused", "it was refused")
    raise CommandFailed(Exit.REFUSED, event.reason.name.lower(), refusal_text(event.reason))


def _is_text(client: Client, name: str, event: DeliveryChanged) -> bool:
    wanted = event.message_id.hex()
    return any(view.message_id == wanted and view.outgoing for view in client.conversation(name, TEXTS_MAX))
