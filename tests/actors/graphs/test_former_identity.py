"""What was agreed with one identity ends with it: no route, no address, no step of a handshake passes to another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actors.handshake.test_direct import direct_pair
from tests.helpers.hostile import RawClient
from tests.helpers.record_publisher import RecordPublisher
from usernym.actors.events import HandshakeChanged, IdentityChanged
from usernym.actors.failures import HandshakeNotPossible
from usernym.actors.handshake.client import CATCH_UP_MAX, HandshakeClient
from usernym.actors.messages import HANDSHAKE_KINDS, FoundRecord, PayloadKind
from usernym.identity import IdentityMaker
from usernym.mixnet.transport import Incoming
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.codec import decode
from usernym.protocol.records import decode_record, decode_succession
from usernym.protocol.signing import SigningKey
from usernym.storage.client.archive import export_archive, import_archive
from usernym.storage.client.contacts import Contacts
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, DeliveryState, HandshakeState, HandshakeStep, Route, Trust
from usernym.storage.keyfile import Argon2Cost
from usernym.testing.world import SimClient, World

CHEAP = Argon2Cost(memory_kib=8, passes=1)


def came_to(world: World, address: bytes) -> list[m.Message]:
    """Everything that comes to an address from now on: a thief may receive there."""
    came: list[m.Message] = []
    world.mixnet.transport(address).open(
        lambda event: came.append(decode(event.data).message) if isinstance(event, Incoming) else None
    )
    return came


def restored_elsewhere(world: World, lost: SimClient) -> SimClient:
    """The owner of a lost home, on another machine, with another identity."""
    name = lost.name
    account = world.node.store.directory.account(name)
    assert account is not None
    assert lost.words is not None
    chain = tuple(decode_succession(link.blob) for link in world.node.store.directory.links(name, 0))
    store = ClientStore.open_plain()
    found = FoundRecord(decode_record(account.record), chain)
    maker = IdentityMaker(store, name, world.node.card, world.sim.random_bytes, world.sim.unix_s())
    maker.replace(lost.words, found)
    return world.client(name, register=False, store=store)


def test_a_route_that_was_agreed_with_a_lost_home_ends_when_its_owner_has_another_identity() -> None:
    world, alice, bob = direct_pair(28)
    assert bob.address is not None
    assert alice.contact("bob").peer_address == bob.address
    bob.kill()
    stolen = came_to(world, bob.address)
    bob_again = restored_elsewhere(world, bob)

    alice.look_up("bob")
    contact = alice.contact("bob")
    assert (contact.trust, contact.handshake, contact.peer_address) == (Trust.CHANGED, HandshakeState.NONE, None)
    assert HandshakeChanged("bob", HandshakeState.NONE) in alice.events
    assert not alice.store.messages.last_of_kinds("bob", HANDSHAKE_KINDS)

    alice.look_at_identity("bob")
    alice.send_and_wait("bob", "where are you?")
    assert stolen == []
    assert bob_again.texts() == ["where are you?"]

    bob_again.offer("alice")
    world.sim.run_until(lambda: alice.contact("bob").handshake is HandshakeState.OFFER_RECEIVED)
    alice.accept("bob")
    world.sim.run_until(lambda: alice.contact("bob").peer_address == bob_again.address, 60)
    world.settle(30)
    alice.send_and_wait("bob", "directly, and to the new address")
    world.sim.run_for(3700)
    assert stolen == []
    world.check()


def test_a_home_that_a_thief_claimed_does_not_outrank_the_owners_next_one() -> None:
    """Counters of a handshake are compared within one identity: whatever the last one counted from, the next begins."""
    with World(37) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hi")
        bob.kill()
        thief = RawClient(world, "bob")
        thief.key = bob.user.key
        thief.log_in()
        record = thief.ask(m.Lookup(thief.new_id(), 2, "alice")).record
        last_home = p.pad_payload(p.Text(p.COUNTER_MAX, 1, bytes(16), None, None, "x"), first_contact=True)
        assert isinstance(thief.hand_in(thief.forward("alice", record, last_home)), m.Accepted)
        world.sim.run_until(lambda: alice.texts() == ["x"], 60)

        bob_again = restored_elsewhere(world, bob)
        alice.look_up("bob")
        alice.look_at_identity("bob")
        assert alice.contact("bob").heard_home == 0
        bob_again.look_up("alice")
        bob_again.offer("alice")
        world.sim.run_until(lambda: alice.contact("bob").handshake is HandshakeState.OFFER_RECEIVED, 60)
        alice.accept("bob")
        world.sim.run_until(lambda: bob_again.contact("alice").handshake is HandshakeState.ACTIVE, 60)
        world.check()


def thief_of(world: World, victim: SimClient) -> SigningKey:
    """Someone with the victim's identity key makes another identity for the name; returns its key."""
    thief = SigningKey.from_seed(b"t" * 32)
    first = decode_record(victim.store.profile.identity().record).stub()
    answer, _ = RecordPublisher(world).publish(victim.name, first, thief, victim.user.key)
    assert isinstance(answer, m.Published)
    return thief


def test_a_step_that_waits_for_a_former_identity_is_not_sent_to_the_next_one() -> None:
    """An offer reveals the user's address: the consent was for the identity that the user knew."""
    with World(29) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hi")
        world.mixnet.offline(alice.client_number)
        alice.offer("bob")
        thief_of(world, bob)
        world.mixnet.online(alice.client_number)
        alice.go_online()
        alice.look_up("bob")
        alice.look_at_identity("bob")
        world.settle(120)
        assert alice.contact("bob").handshake is HandshakeState.NONE
        assert alice.store.messages.outbox_of("bob") == []
        assert world.node.store.mailbox.waiting("bob", 99) == []
        world.check()


def test_no_handshake_moves_while_a_changed_identity_was_not_looked_at() -> None:
    world, alice, bob = direct_pair(30)
    bob_again = replaced_in_place(world, bob)
    alice.look_up("bob")
    with pytest.raises(HandshakeNotPossible, match="changed"):
        alice.offer("bob")
    bob_again.look_up("alice")
    bob_again.offer("alice")
    world.settle(30)
    assert alice.contact("bob").handshake is HandshakeState.NONE
    alice.look_at_identity("bob")
    world.sim.run_until(lambda: HandshakeChanged("bob", HandshakeState.OFFER_RECEIVED) in alice.events, 60)
    world.check()


def test_steps_of_one_who_was_not_looked_at_hold_up_no_others() -> None:
    world, alice, bob = direct_pair(38)
    record = alice.contact("bob").record
    alice.store.contacts.add("mallory", b"m" * 32, record, Trust.CHANGED, Consent.ACCEPTED)
    with alice.store.transaction():
        for number in range(1, CATCH_UP_MAX + 1):
            assert alice.store.messages.add_incoming(
                contact="mallory", message_id=number.to_bytes(16, "big"), key_number=1, counter=number,
                kind=int(PayloadKind.HANDSHAKE_OFFER), body=HandshakeStep.body(bytes(96), 0), token=None, sent_at=1,
                now=1, route=Route.NODE,
            )  # fmt: skip
    bob_again = replaced_in_place(world, bob)
    alice.look_up("bob")
    bob_again.look_up("alice")
    bob_again.offer("alice")
    world.settle(30)
    alice.look_at_identity("bob")
    world.sim.run_until(lambda: alice.contact("bob").handshake is HandshakeState.OFFER_RECEIVED, 60)
    assert len(alice.store.messages.steps_to_take(HANDSHAKE_KINDS, 9)) == 0
    assert alice.contact("mallory").handshake is HandshakeState.NONE
    world.check()


def replaced_in_place(world: World, user: SimClient) -> SimClient:
    """The user replaces the identity in the home that has the former one."""
    assert user.words is not None
    account = world.node.store.directory.account(user.name)
    assert account is not None
    chain = tuple(decode_succession(link.blob) for link in world.node.store.directory.links(user.name, 0))
    found, now = FoundRecord(decode_record(account.record), chain), world.sim.unix_s()
    user.kill()
    maker = IdentityMaker(user.store, user.name, world.node.card, world.sim.random_bytes, now)
    maker.replace(user.words, found)
    user.start()
    user.go_online()
    return user


def test_both_sides_begin_anew_when_a_user_replaces_the_identity_in_place() -> None:
    world, alice, bob = direct_pair(31)
    replaced_in_place(world, bob)
    contact = bob.contact("alice")
    assert (contact.handshake, contact.peer_address, contact.trust) == (HandshakeState.NONE, None, Trust.CONFIRMED)
    alice.look_up("bob")
    alice.look_at_identity("bob")
    alice.send_and_wait("bob", "through the node")
    alice.offer("bob")
    world.sim.run_until(lambda: bob.contact("alice").handshake is HandshakeState.OFFER_RECEIVED, 60)
    bob.accept("alice")
    world.sim.run_until(lambda: alice.contact("bob").handshake is HandshakeState.ACTIVE, 60)
    assert bob.address is not None
    assert alice.contact("bob").peer_address == bob.address
    world.check()


def test_what_was_sealed_for_a_former_identity_is_sealed_again() -> None:
    with World(32) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hi")
        bob.kill()
        message_id = alice.send("bob", "sealed to the identity that was lost")
        world.settle(10)
        bob_again = restored_elsewhere(world, bob)
        alice.look_up("bob")
        assert alice.of_kind(IdentityChanged) == [IdentityChanged("bob", False)]
        alice.look_at_identity("bob")
        alice.wait_for_state(message_id, DeliveryState.DELIVERED)
        assert bob_again.texts() == ["sealed to the identity that was lost"]
        world.check()


def test_an_offer_that_crosses_a_change_of_identity_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookup and handshake are threads of their own: the identity may change between two reads of the store."""
    with World(36) as world:
        alice = world.client("alice")
        bob = world.client("bob")
        alice.send_and_wait("bob", "hi")
        own_address = HandshakeClient._own_address

        def and_then_another(self: HandshakeClient) -> bytes:
            self._store.contacts.pin("bob", b"\x05" * 32, alice.contact("bob").record)
            return own_address(self)

        monkeypatch.setattr(HandshakeClient, "_own_address", and_then_another)
        with pytest.raises(HandshakeNotPossible, match="changed just now"):
            alice.offer("bob")
        assert alice.store.messages.outbox_of("bob") == []
        assert alice.contact("bob").handshake is HandshakeState.NONE
        assert bob.contact("alice").handshake is HandshakeState.NONE


@pytest.mark.parametrize("changed", ["theirs", "own"])
def test_a_backup_brings_back_no_agreement_of_a_former_identity(changed: str, tmp_path: Path) -> None:
    world, alice, bob = direct_pair(33)
    folder = tmp_path / "backup"
    export_archive(alice.store, folder, "pass", b"alice", cost=CHEAP)
    if changed == "theirs":
        replaced_in_place(world, bob)
        alice.look_up("bob")
        alice.look_at_identity("bob")
    else:
        replaced_in_place(world, alice)
    for _ in range(2):
        import_archive(alice.store, folder, "pass", b"alice")
        contact = alice.contact("bob")
        assert (contact.handshake, contact.peer_address) == (HandshakeState.NONE, None)
        assert not alice.store.messages.last_of_kinds("bob", HANDSHAKE_KINDS)
        assert not alice.store.gaps.of("bob").ranges, "the places of what came stay"
    world.check()


def test_a_backup_brings_a_route_back_that_was_agreed_by_the_same_identities(tmp_path: Path) -> None:
    world, alice, _ = direct_pair(34)
    export_archive(alice.store, tmp_path / "backup", "pass", b"alice", cost=CHEAP)
    before = alice.contact("bob")
    import_archive(alice.store, tmp_path / "backup", "pass", b"alice")
    assert alice.contact("bob") == before
    world.check()


def test_the_checks_above_notice_a_route_that_outlives_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Contacts, "end_agreements", lambda _self, _name=None: None)
    with pytest.raises(AssertionError):
        test_a_route_that_was_agreed_with_a_lost_home_ends_when_its_owner_has_another_identity()
    with pytest.raises(AssertionError):
        test_a_step_that_waits_for_a_former_identity_is_not_sent_to_the_next_one()
