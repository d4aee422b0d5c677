"""Each defect of earlier systems of this kind: a check that the product passes, and that finds the old behaviour.

The old behaviour is planted into the product, one swap each; a check that did not fail then would show nothing.
Variants of most of them, without planting, are in `test_hostile_lineage` and its neighbours.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import pytest

from tests.helpers.hostile import HostileWorld, RawClient, Wiretap, message_of
from tests.helpers.lineage import LineageDefect, padded
from usernym.actors import messages as msg
from usernym.actors.events import MessageArrived
from usernym.actors.forwarding.arrival import ArrivalOutcome
from usernym.actors.forwarding.inbox import Inbox
from usernym.actors.forwarding.node import ForwardingNode
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.lookup import chain_fetch
from usernym.actors.mixnet_io import surb_account
from usernym.actors.mixnet_io.endpoint import MixnetEndpoint
from usernym.actors.node_clock import NodeClock
from usernym.actors.registration import newcomers
from usernym.actors.registration.newcomers import REGISTRATIONS_PER_BIT, Newcomers
from usernym.actors.registration.node import RegistrationNode
from usernym.mixnet.emulator.state import Faults
from usernym.protocol import messages as m
from usernym.protocol import signing
from usernym.protocol.codec import Frame
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import EPOCH_S, MAILBOX_S
from usernym.protocol.records import first_record
from usernym.protocol.signing import Context, SigningKey
from usernym.protocol.wire import pack
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, DeliveryState, Trust
from usernym.storage.keyfile import Argon2Cost
from usernym.testing.world import World

# -- a client signs any nonce with the routine that it uses for messages ----------------------------------------------


def check_nonce(_: Path) -> None:
    key = SigningKey.from_seed(b"k" * 32)
    message = b"a message that the node chose as its nonce"
    for meant in (Context.REQUEST, Context.RECORD, Context.UNOPENABLE):
        with contextlib.suppress(RemoteProtocolError):
            signing.verify(key.public, key.sign(meant, message), Context.SEALED, message)
            raise AssertionError("a signature of one kind passes for a sealed message's")


def plant_nonce(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(signing, "labelled", lambda _context, *parts: b"".join(parts))


# -- every valid message moves the route: who replays one hijacks it --------------------------------------------------


def check_route(_: Path) -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    bob.send_and_wait("alice", "hello")
    thief = RawClient(world, "thief")
    thief.throw(tap.of(bob.client_number, m.Forward)[-1], 20)
    world.settle(2)
    alice.send("bob", "for bob alone")
    world.settle(5)
    assert bob.texts() == ["for bob alone"]
    assert not thief.received(m.Deliver)


def plant_route(patch: pytest.MonkeyPatch) -> None:
    old = ForwardingNode._forward

    def forward(self: Any, said: m.Forward, frame: Frame, tag: bytes) -> None:
        frame.verify(self._identity_key(said.sender), self._node)
        route = self._routes.get(said.sender)
        if route is not None:
            route.tag = tag
        old(self, said, frame, tag)

    patch.setattr(ForwardingNode, "_forward", forward)


# -- a sender is not checked on one path ------------------------------------------------------------------------------


def check_sender(_: Path) -> None:
    world = World()
    world.client("alice"), world.client("bob")
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    record = mallory.ask(m.Lookup(mallory.new_id(), 2, "alice")).record
    world.clients["alice"].kill()
    mallory.hand_in(mallory.forward("alice", record, padded("it is bob"), sender="bob"))
    assert not world.node.store.mailbox.waiting("alice", 1)


def plant_sender(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Frame, "verify", lambda *_: None)


# -- first contact trusts the key that comes inside the message -------------------------------------------------------


def check_first_contact(_: Path) -> None:
    world = HostileWorld()
    alice, _bob = world.client("alice"), world.client("bob")
    forger = RawClient(world, "bob", 1)
    forward = forger.forward("alice", world.scripted.records["alice"], padded("trust me"))
    tell = m.Deliver(
        bytes(16), 1, "bob", forward.message_id, 1, forward.sealed, forward.inner_signature, forger.key.public
    )  # fmt: skip
    world.scripted.tell("alice", tell)
    world.settle(10)
    assert not alice.of_kind(MessageArrived)


FORGER: Final = SigningKey.from_seed(bytes([1]) * 32)
"""The key of `RawClient(world, …, 1)`."""


def plant_first_contact(patch: pytest.MonkeyPatch) -> None:
    carry_out = Inbox._carry_out

    def trust(self: Any, outcome: ArrivalOutcome, found: Any) -> None:
        arrival = found.arrival
        if outcome is not ArrivalOutcome.HELD_FOR_LOOKUP:
            carry_out(self, outcome, found)
            return
        recovery = SigningKey.from_seed(b"r" * 32).public
        record = first_record(FORGER, recovery, self._user.node, arrival.sender, b"m" * 32, 1)
        accepted = Consent.ACCEPTED
        self._store.contacts.add(arrival.sender, arrival.first_key, pack(record), Trust.CONFIRMED, accepted)
        self._judge(arrival)

    patch.setattr(Inbox, "_carry_out", trust)


# -- names: case-sensitive, of any length, with separators in them ----------------------------------------------------


def check_names(_: Path) -> None:
    world = World()
    for number, name in enumerate(("Alice", "al-ice", "a", "a" * 60, "1alice")):
        client = RawClient(world, name, number + 1)
        assert isinstance(client.register(), m.Refused), name
    assert world.node.store.counts().accounts == 0


def plant_names(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(newcomers, "check_registrable", lambda _name: None)


# -- limits are kept by sender tag, which is free to renew ------------------------------------------------------------


def check_limits(_: Path) -> None:
    world = World()
    for number in range(REGISTRATIONS_PER_BIT):
        assert isinstance(RawClient(world, f"name_{number}", number + 1).register(), m.Registered)
    assert RawClient(world, "one_more", 200).challenge().difficulty > 1


def plant_limits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Newcomers, "_difficulty", lambda self: self._work_bits_min)


# -- "delivered" means handed to the mixnet ---------------------------------------------------------------------------


def check_states(_: Path) -> None:
    world = World()
    alice, _bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    world.mixnet.faults = Faults(silent_loss=1.0)
    message_id = alice.send("bob", "into the void")
    world.settle(30)
    assert alice.states(message_id) == []


def plant_states(patch: pytest.MonkeyPatch) -> None:
    old = Outbox._send_forward

    def send(self: Any, contact: Any, message: Any, row: Any) -> None:
        old(self, contact, message, row)
        self.settle(message, DeliveryState.DELIVERED, None)

    patch.setattr(Outbox, "_send_forward", send)


# -- the mailbox is emptied by sending, without acknowledgement; what is old is never swept ---------------------------


def check_mailbox(_: Path) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    world.settle(70)
    mixnet: Any = world.mixnet
    reply = mixnet.reply

    def lose_the_first(client: int, tag: bytes, data: bytes) -> None:
        if isinstance(message_of(data), m.Deliver):
            mixnet.reply = reply
        else:
            reply(client, tag, data)

    mixnet.reply = lose_the_first
    alice.send("bob", "once")
    world.settle(300)
    assert bob.texts() == ["once"]


def plant_mailbox(patch: pytest.MonkeyPatch) -> None:
    old = ForwardingNode._deliver

    def deliver(self: Any, name: str, route: Any, *, again: bool) -> None:
        old(self, name, route, again=again)
        rows = [row for row in self._store.mailbox.waiting(name, 16) if row.number in route.sent_at]
        self._store.mailbox.acknowledge(name, [(row.sender, row.message_id) for row in rows])

    patch.setattr(ForwardingNode, "_deliver", deliver)


def check_sweep(_: Path) -> None:
    world = World()
    alice, _bob = world.client("alice"), world.client("bob", online=False)
    alice.send_and_wait("bob", "for nobody", DeliveryState.ACCEPTED)
    world.sim.clock_error_s += MAILBOX_S
    world.settle(1500)
    assert not world.node.store.mailbox.waiting("bob", 1)


def plant_sweep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(NodeClock, "deletion_time", lambda _self: None)


# -- every reply derives the node's key again -------------------------------------------------------------------------


def check_keys(_: Path) -> None:
    world = World()
    alice = world.client("alice")
    world.client("bob")
    derived: list[str] = []
    from_seed, pbkdf2 = SigningKey.from_seed, hashlib.pbkdf2_hmac

    def noted_seed(seed: bytes) -> SigningKey:
        derived.append("seed")
        return from_seed(seed)

    def noted_pbkdf2(*arguments: Any) -> bytes:
        derived.append("passphrase")
        return pbkdf2(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SigningKey, "from_seed", noted_seed)
        patch.setattr(hashlib, "pbkdf2_hmac", noted_pbkdf2)
        for _number in range(5):
            alice.look_up("bob")
    assert not derived, "answering derives no key"


def plant_keys(patch: pytest.MonkeyPatch) -> None:
    old = MixnetEndpoint.reply

    def send_reply(self: Any, tag: bytes, reply: Any) -> None:
        hashlib.pbkdf2_hmac("sha256", b"passphrase", b"salt", 10)
        old(self, tag, reply)

    patch.setattr(MixnetEndpoint, "reply", send_reply)


# -- pending challenges are kept forever -----------------------------------------------------------------------------


def check_challenges(_: Path) -> None:
    world = World()
    clients = [RawClient(world, f"name_{number}", number + 1) for number in range(100)]
    before = kept(world)
    for client in clients:
        client.challenge()
    assert kept(world) - before < 10
    assert world.node.store.counts().remembered == 0


def kept(world: World) -> int:
    """Things in the containers that the node's actors own."""
    gc.collect()
    return sum(
        len(value)
        for actor in world.node.runtime.actors
        for value in vars(actor).values()
        if isinstance(value, dict | list | set) and not isinstance(value, type(actor.counts))
    )


def plant_challenges(patch: pytest.MonkeyPatch) -> None:
    old = RegistrationNode._carry_out

    def ask(self: Any, said: Any, *arguments: Any) -> Any:
        if isinstance(said, m.RegisterAsk):
            vars(self).setdefault("pending", {})[said.request_id] = said
        return old(self, said, *arguments)

    patch.setattr(RegistrationNode, "_carry_out", ask)


# -- the identity key is stored unencrypted, in a file that others can read -------------------------------------------


def check_at_rest(folder: Path) -> None:
    world = World()
    alice = world.client("alice", online=False)
    identity = alice.store.profile.identity()
    store = ClientStore.open(folder / "home", "a passphrase", cost=Argon2Cost(memory_kib=8192, passes=1, lanes=1))
    store.profile.save_identity(identity)
    store.close()
    for path in (folder / "home").iterdir():
        assert identity.seed not in path.read_bytes()
        assert not path.stat().st_mode & 0o077


def plant_at_rest(patch: pytest.MonkeyPatch) -> None:
    def open_plain(folder: Path, _passphrase: str | None, **_: Any) -> ClientStore:
        folder.mkdir(mode=0o700)
        return ClientStore.open_plain(folder / "client.db", synchronous="FULL")

    patch.setattr(ClientStore, "open", open_plain)


# -- text encodings, and ten SURBs on every message -------------------------------------------------------------------


def packets_of_a_lookup() -> tuple[int, int]:
    world = World(nym_clients=("alice",))  # whose lookups have no tags of their own, and the usual number of SURBs
    alice = world.client("alice", register=False, online=False)
    world.client("bob", online=False)
    world.settle(2 * EPOCH_S)
    alice.look_up("bob")  # with a proof, which costs more
    world.settle(5)
    before = world.mixnet.counts(alice.client_number)
    answer: Future[None] = alice.begin(alice.graph.lookup, lambda to: msg.FindContact("bob", to))
    world.sim.run_until(answer.done, 60)
    world.settle(5)
    after = world.mixnet.counts(alice.client_number)
    return after.sent() - before.sent(), after.received() - before.received()


def check_packets(_: Path) -> None:
    assert packets_of_a_lookup() == (1, 1)


def plant_surbs(patch: pytest.MonkeyPatch) -> None:
    for module in (chain_fetch, surb_account):
        patch.setattr(module, "SURBS_REQUEST", 10)


def plant_json(patch: pytest.MonkeyPatch) -> None:
    """An answer as long as it would be in nested JSON, hexadecimal."""
    old = MixnetEndpoint.reply

    def send_reply(self: Any, tag: bytes, reply: Any) -> None:
        frame = reply.sign(self._signer, self._node)
        text = json.dumps({"payload": json.dumps({"body": frame.hex()})}).encode()
        self._transport.reply(tag, frame + bytes(len(text) - len(frame)))
        old(self, tag, reply)

    patch.setattr(MixnetEndpoint, "reply", send_reply)


DEFECTS: Final = {
    "client_signs_any_nonce_as_if_it_were_a_message": LineageDefect(check_nonce, plant_nonce),
    "replayed_message_moves_the_route": LineageDefect(check_route, plant_route),
    "sender_unchecked_on_one_path": LineageDefect(check_sender, plant_sender),
    "first_contact_trusts_the_key_inside_the_message": LineageDefect(check_first_contact, plant_first_contact),
    "names_without_a_canonical_form": LineageDefect(check_names, plant_names),
    "limits_kept_by_sender_tag": LineageDefect(check_limits, plant_limits),
    "delivered_means_handed_to_the_mixnet": LineageDefect(check_states, plant_states),
    "mailbox_deleted_without_acknowledgement": LineageDefect(check_mailbox, plant_mailbox),
    "expired_messages_never_swept": LineageDefect(check_sweep, plant_sweep),
    "key_derived_again_for_every_reply": LineageDefect(check_keys, plant_keys),
    "pending_challenges_kept_for_ever": LineageDefect(check_challenges, plant_challenges),
    "identity_key_stored_unencrypted": LineageDefect(check_at_rest, plant_at_rest),
    "ten_surbs_on_every_message": LineageDefect(check_packets, plant_surbs),
    "nested_json_and_hex": LineageDefect(check_packets, plant_json),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_the_product_does_not_have_it(name: str, tmp_path: Path) -> None:
    DEFECTS[name].check(tmp_path)


@pytest.mark.parametrize("name", DEFECTS)
def test_the_check_finds_it_where_it_is_planted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[name].plant(monkeypatch)
    with pytest.raises(AssertionError):
        DEFECTS[name].check(tmp_path)
