"""Defects that the simulation must find: each swaps one thing in the product, for as long as its context lasts.

They are of three kinds: what earlier systems of this sort got wrong, what careless changes of this one would get wrong,
and what the simulation itself found and is fixed (those say so).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from inspect import Parameter, isfunction, signature
from typing import Any
from unittest.mock import patch

from usernym.actors.base import resolve
from usernym.actors.failures import Failure
from usernym.actors.forwarding import client as forwarding_client
from usernym.actors.forwarding import outbox as client_sending
from usernym.actors.forwarding.client import ForwardingClient
from usernym.actors.forwarding.files import FileTransfers
from usernym.actors.forwarding.inbox import Inbox
from usernym.actors.forwarding.node import ForwardingNode
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.lookup.client import LookupClient
from usernym.actors.messages import PayloadKind
from usernym.actors.registration.client import RegistrationClient
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import ID_BYTES
from usernym.protocol.sealing import Envelope
from usernym.storage.client import messages as client_messages
from usernym.storage.client.contacts import Contacts
from usernym.storage.client.messages import Messages
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import DeliveryState, Direction
from usernym.storage.database import StoreDatabase
from usernym.storage.errors import StorageError
from usernym.storage.node.profile import NodeProfile
from usernym.storage.node.store import NodeStore

Plant = Callable[[ExitStack], None]


@dataclass(frozen=True)
class PlantedDefect:
    """One defect: its name, and what is wrong with it in."""

    name: str
    says: str
    plant: Plant

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The product has the defect within the block."""
        with ExitStack() as stack:
            self.plant(stack)
            yield


DEFECTS: list[PlantedDefect] = []


def defect(says: str, among: list[PlantedDefect] = DEFECTS) -> Callable[[Plant], Plant]:
    """Put a defect on a list, under its function's name."""

    def add(plant: Plant) -> Plant:
        among.append(PlantedDefect(plant.__name__, says, plant))
        return plant

    return add


def _takes(new: Any, old: Any) -> bool:
    """Whether a function can be called in all the ways in which another one can."""
    more, fewer = signature(new).parameters.values(), signature(old).parameters.values()
    kinds = {each.kind for each in more}
    by_name = {each.name for each in fewer if each.kind is each.KEYWORD_ONLY}
    if Parameter.VAR_KEYWORD not in kinds and not by_name <= {each.name for each in more}:
        return False
    counts = [[each.default is each.empty for each in some if each.kind is each.POSITIONAL_OR_KEYWORD]
              for some in (more, fewer)]  # fmt: skip
    return sum(counts[0]) <= sum(counts[1]) and (len(counts[0]) >= len(counts[1]) or Parameter.VAR_POSITIONAL in kinds)


def swap(stack: ExitStack, owner: Any, name: str, new: Any) -> Any:
    """Put `new` instead of an attribute; what was there before. A function takes what the one before took."""
    old = getattr(owner, name)
    if isfunction(old) and isfunction(new):
        assert _takes(new, old), f"{name}{signature(old)} is called otherwise than {signature(new)}"
    stack.enter_context(patch.object(owner, name, new))
    return old


# -- the node --


@defect("the node answers `accepted` before the message is on its disk")
def accepts_before_commit(stack: ExitStack) -> None:
    def forward(self: Any, said: m.Forward, frame: Any, tag: bytes) -> None:
        self._routes.answer(said.sender, tag, m.Accepted(said.request_id))
        old(self, said, frame, tag)

    old = swap(stack, ForwardingNode, "_forward", forward)


@defect("the node answers `accepted` when its disk is full")
def accepts_without_room(stack: ExitStack) -> None:
    def refuse(self: Any, said: m.Forward, tag: bytes, code: Code) -> None:
        if code is Code.BUSY:
            self._routes.answer(said.sender, tag, m.Accepted(said.request_id))
        else:
            old(self, said, tag, code)

    old = swap(stack, ForwardingNode, "_refuse_forward", refuse)


@defect("the node deletes a message when it has sent it, not when it is acknowledged")
def mailbox_deleted_on_sending(stack: ExitStack) -> None:
    def deliver(self: Any, name: str, route: Any, *, again: bool) -> None:
        old(self, name, route, again=again)
        for number in list(route.sent_at):
            self._store.database.run("DELETE FROM mail WHERE recipient = ? AND number = ?", (name, number))

    old = swap(stack, ForwardingNode, "_deliver", deliver)


@defect("a user's route follows any sender of a message of theirs, also of one that was seen and is repeated")
def route_follows_any_message(stack: ExitStack) -> None:
    def on_request(self: Any, frame: Any, tag: bytes) -> None:
        route = self._routes.get(getattr(frame.message, "sender", getattr(frame.message, "name", "")))
        if route is not None:
            route.tag = tag
        old(self, frame, tag)

    old = swap(stack, ForwardingNode, "_on_request", on_request)


@defect("the node delivers a message once to each login, and never again")
def delivers_once(stack: ExitStack) -> None:
    def deliver(self: Any, name: str, route: Any, *, again: bool) -> None:
        del again
        old(self, name, route, again=False)

    old = swap(stack, ForwardingNode, "_deliver", deliver)


@defect("the node forgets a notice when it has sent it once")
def notices_told_once(stack: ExitStack) -> None:
    def notify(self: Any, name: str, route: Any) -> None:
        old(self, name, route)
        self._store.notices.confirm(name, list(route.notices_at))

    old = swap(stack, ForwardingNode, "_notify", notify)


@defect("the node's transactions are not one commit")
def node_commits_apart(stack: ExitStack) -> None:
    swap(stack, NodeStore, "commit", lambda _self, work: work())


@defect("the node makes a new identity at each start")
def node_identity_not_kept(stack: ExitStack) -> None:
    swap(stack, NodeProfile, "identity_seed", lambda _self, new_seed: new_seed)


@defect("the node does not check who acknowledges")
def anybody_acknowledges(stack: ExitStack) -> None:
    def verified(self: Any, said: Any, frame: Any, tag: bytes) -> Any:
        route = self._routes.get(said.name)
        return old(self, said, frame, tag) if route is None or not isinstance(said, m.Acknowledge) else route

    old = swap(stack, ForwardingNode, "_verified_route", verified)


# -- stores --


@defect("stores do not wait for the disk (`synchronous=OFF`)")
def commits_not_synced(stack: ExitStack) -> None:
    def make(self: Any, *arguments: Any, **keywords: Any) -> None:
        old(self, *arguments, **(keywords | {"synchronous": "OFF"}))

    old = swap(stack, StoreDatabase, "__init__", make)


@defect("a client remembers the ids that it has seen in memory only")
def ids_forgotten_at_restart(stack: ExitStack) -> None:
    def mark_seen(self: Any, contact: str, message_id: bytes, _key_number: int, _token: bytes | None = None) -> bool:
        seen = self.__dict__.setdefault("seen", set())
        new = (contact, message_id) not in seen
        seen.add((contact, message_id))
        return new

    swap(stack, Messages, "mark_seen", mark_seen)
    swap(stack, Messages, "was_seen", lambda self, contact, id_: (contact, id_) in self.__dict__.get("seen", ()))
    swap(stack, client_messages, "_ADD", client_messages._ADD.replace("INSERT INTO", "INSERT OR REPLACE INTO"))


@defect("a client remembers an id in one commit, and keeps its message in another")
def seen_before_kept(stack: ExitStack) -> None:
    def add_incoming(self: Any, **row: Any) -> bool:
        if not self.mark_seen(row["contact"], row["message_id"], row["key_number"]):
            return False
        self.mark_seen = lambda *_: True
        try:
            return bool(old(self, **row))
        finally:
            del self.mark_seen

    old = swap(stack, Messages, "add_incoming", add_incoming)
    swap(stack, ClientStore, "transaction", lambda _self: nullcontext())


@defect("a message's state may go back: `accepted` after `delivered`")
def states_go_back(stack: ExitStack) -> None:
    states = {state: f"{sql.partition(' AND state IN')[0]} AND state != {state.number}"
              for state, sql in client_messages._ADVANCE.items()}  # fmt: skip
    swap(stack, client_messages, "_ADVANCE", states)


@defect("a conversation's counter starts again with each process")
def counters_start_anew(stack: ExitStack) -> None:
    def take(self: Any, name: str) -> int:
        counters = self.__dict__.setdefault("counters", {})
        counters[name] = counters.get(name, 0) + 1
        return int(counters[name])

    swap(stack, Contacts, "take_out_counter", take)


# -- the client, sending --


@defect("a client confirms a text before the text is on disk")
def takes_before_commit(stack: ExitStack) -> None:
    def take(self: Any, contact: Any, command: Any) -> None:
        runtime = self._outbox._context.runtime
        message_id = runtime.random_bytes(ID_BYTES)
        resolve(command.answer, message_id)
        ids = iter([message_id])
        runtime.random_bytes = lambda count: next(ids, None) or type(runtime).random_bytes(runtime, count)
        try:
            self._outbox.enqueue(contact, PayloadKind.TEXT, command.text.encode())
        finally:
            del runtime.random_bytes

    swap(stack, ForwardingClient, "_take", take)


@defect("a client gives a message up when the node does not answer")
def gives_up_without_answer(stack: ExitStack) -> None:
    def on_unanswered(self: Any, request: m.Forward) -> None:
        old(self, request)
        self._store.messages.remove_outgoing(request.message_id)

    old = swap(stack, Outbox, "on_unanswered", on_unanswered)


@defect("a client calls delivered what the node accepted")
def delivered_when_accepted(stack: ExitStack) -> None:
    def settle(self: Any, message: Any, state: DeliveryState, reason: Code | None) -> None:
        old(self, message, DeliveryState.DELIVERED if state is DeliveryState.ACCEPTED else state, reason)

    old = swap(stack, Outbox, "settle", settle)


@defect("a client believes the node's receipts without their proof")
def receipts_unproved(stack: ExitStack) -> None:
    def on_receipts(self: Any, receipts: Any, contact: str | None) -> None:
        for message_id, _ in receipts:
            message = self._store.messages.outgoing(message_id, contact)
            if message is not None:
                self.settle(message, DeliveryState.DELIVERED, None)

    swap(stack, Outbox, "on_receipts", on_receipts)


@defect("a client treats `busy` as a final refusal")
def busy_is_final(stack: ExitStack) -> None:
    swap(stack, client_sending, "_RETRY_LATER", frozenset())


@defect("a client treats a clock that differs as a final refusal")
def clock_skew_is_final(stack: ExitStack) -> None:
    def on_refused(self: Any, request: m.Forward, code: Code, detail: int) -> None:
        old(self, request, Code.MALFORMED if code is Code.CLOCK_SKEW else code, detail)

    old = swap(stack, Outbox, "on_refused", on_refused)


@defect("found by the simulation: after a clock was set back, what it had planned waits until it shows that time again")
def plans_of_a_wrong_clock(stack: ExitStack) -> None:
    def due(self: Any, now: int, limit: int, _pause_max: int = 0) -> Any:
        return old(self, now, limit)

    old = swap(stack, Messages, "due", due)


@defect("found by the simulation: a text overtakes those that wait for a lookup whose answer is on disk already")
def texts_overtake(stack: ExitStack) -> None:
    def send_text(self: Any, command: Any) -> None:
        try:
            contact = self._store.contacts.get(command.name)
        except StorageError:
            contact = None
        if contact is None:
            old(self, command)
        else:
            self._take(contact, command)
            self._outbox.flush()

    old = swap(stack, ForwardingClient, "_send_text", send_text)


@defect("found by the simulation: the writer of a text that could not be stored is never notified")
def failure_not_told(stack: ExitStack) -> None:
    swap(stack, forwarding_client, "fail", lambda _future, _why: None)


@defect("found by the simulation: a lookup whose answer could not be stored never ends")
def lookup_never_ends(stack: ExitStack) -> None:
    def finish(self: Any, name: str, failed: Any) -> None:
        if failed is not Failure.NO_STORAGE:
            old(self, name, failed)

    old = swap(stack, LookupClient, "_finish", finish)


# -- the client, receiving --


@defect("a client acknowledges before the message is on disk")
def acknowledges_before_commit(stack: ExitStack) -> None:
    def keep(self: Any, found: Any) -> None:
        self._acknowledge(found.sender, found.arrival, found.payload.token)
        old(self, found)

    old = swap(stack, Inbox, "_keep", keep)


@defect("a client acknowledges each message once, also when the acknowledgement is lost")
def acknowledges_once(stack: ExitStack) -> None:
    def acknowledge(self: Any, contact: Any, arrival: Any, token: bytes | None) -> None:
        done = self.__dict__.setdefault("done", set())
        if arrival.message_id not in done:
            done.add(arrival.message_id)
            old(self, contact, arrival, token)

    old = swap(stack, Inbox, "_acknowledge", acknowledge)


@defect("a client acknowledges a repeated message without the proof")
def acknowledges_again_without_proof(stack: ExitStack) -> None:
    swap(stack, Messages, "incoming_token", lambda _self, _contact, _message_id: None)


@defect("a client does not check the inner signature")
def inner_signature_unchecked(stack: ExitStack) -> None:
    swap(stack, Envelope, "verify", lambda _self, _sealed, _signature: None)


@defect("a client trusts the key that comes with a first message")
def first_key_trusted(stack: ExitStack) -> None:
    def is_signed(self: Any, found: Any) -> bool:
        arrival, first = found.arrival, found.arrival.first_key
        if first in (None, found.sender.identity_key):
            return bool(old(self, found))
        envelope = self._user.envelope_from(arrival.sender, first, arrival.key_number, arrival.message_id)
        try:
            envelope.verify(arrival.sealed, arrival.inner_signature)
        except RemoteProtocolError:
            return bool(old(self, found))
        found.envelope = envelope
        return True

    old = swap(stack, Inbox, "_is_signed", is_signed)


# -- files --


@defect("a client acknowledges a chunk of a file before the chunk is on disk")
def acknowledges_chunk_before_commit(stack: ExitStack) -> None:
    def read(self: Any, found: Any) -> None:
        self._acknowledge(found.sender, found.arrival, found.payload.token)
        self.said.send()
        old(self, found)

    old = swap(stack, Inbox, "_read_file_word", read)


@defect("a client that starts again sends a file from what has arrived, not from what it has handed out")
def files_resume_at_what_arrived(stack: ExitStack) -> None:
    def go_on(self: Any) -> None:
        if "resumed" not in self.__dict__:
            self.resumed = True
            for file in self._files.sending():
                self._files.set_next(file, file.done)
        old(self)

    old = swap(stack, FileTransfers, "go_on", go_on)


# -- the client's login --


@defect("a client sends no heartbeats: it does not notice that its route died")
def no_heartbeats(stack: ExitStack) -> None:
    swap(stack, RegistrationClient, "_beat", lambda _self, _login_id: None)


@defect("a client does not log in again when the node says that it does not know its route")
def no_second_login(stack: ExitStack) -> None:
    def on_refusal(self: Any, request: Any, code: Code, detail: int) -> None:
        old(self, request, Code.BUSY if isinstance(request, m.Heartbeat) else code, detail)

    old = swap(stack, RegistrationClient, "_on_refusal", on_refusal)


@defect("what a client received but did not show before it died is not shown after its start either")
def unshown_forgotten(stack: ExitStack) -> None:
    def unshown(self: Any, limit: int, kinds: Any = None, after: int = 0) -> Any:
        rows = old(self, limit, kinds, after)
        return [row for row in rows if row.direction is not Direction.IN]

    old = swap(stack, Messages, "unshown", unshown)


@defect("a conversation's texts stand in the order in which they came")
def stands_as_it_came(stack: ExitStack) -> None:
    swap(stack, Messages, "_place_of", lambda _self, _contact, _kind, _counter, _now, row: (row, False))
