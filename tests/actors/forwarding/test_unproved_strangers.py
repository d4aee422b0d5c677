"""Strangers: nothing is stored of one before a signature proves that they wrote, and then no more than a little."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.helpers.hostile import HostileWorld, RawClient
from usernym.actors.events import TextsErased
from usernym.actors.forwarding import shares
from usernym.actors.forwarding.inbox import STRANGERS_BYTES_MAX, STRANGERS_MESSAGES_MAX, Inbox
from usernym.actors.forwarding.user_texts import REQUEST_S
from usernym.actors.lookup.client import LookupClient
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.limits import DAY_S, SEAL_OVERHEAD_BYTES
from usernym.protocol.records import decode_record
from usernym.protocol.wire import pack
from usernym.storage.client.types import Consent, DeliveryState, Trust
from usernym.testing.world import SimClient, World


def a_node_that_invents_a_message(*, accept_strangers: bool) -> None:
    world = HostileWorld(13)
    alice, carol = world.client("alice", accept_strangers=accept_strangers), world.client("carol")
    text = p.Text(1, 1, bytes(16), None, None, "never written")
    for number in range(3):
        first = carol.user.key.public if number else None
        garbage = bytes(SEAL_OVERHEAD_BYTES) + p.pad_payload(text, first_contact=first is not None)
        invented = m.Deliver(b"", 1, "carol", bytes([number]) * 16, 1, garbage, b"s" * 64, first)
        world.scripted.tell("alice", invented)
    world.settle(10)
    assert any(isinstance(request, m.Lookup) for request in world.scripted.requests)
    assert list(alice.store.contacts.all()) == [], "carol never wrote"
    assert alice.texts() == []
    assert carol.store.contacts.all() == []
    world.check()


@pytest.mark.parametrize("accept_strangers", [True, False])
def test_a_node_makes_no_contact_by_saying_that_someone_wrote(accept_strangers: bool) -> None:
    a_node_that_invents_a_message(accept_strangers=accept_strangers)


def test_the_check_above_notices_a_contact_that_is_made_by_the_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    pin = LookupClient._pin

    def pin_at_once(self: LookupClient, name: str, *found: object) -> object:
        stranger = pin(self, name, *found)  # type: ignore[arg-type]  # as it is called
        if stranger is not None:
            record = stranger.record
            self._store.contacts.add(name, record.identity_key, pack(record), Trust.CONFIRMED, Consent.ACCEPTED)
        return stranger

    monkeypatch.setattr(LookupClient, "_pin", pin_at_once)
    with pytest.raises(AssertionError, match="carol never wrote"):
        a_node_that_invents_a_message(accept_strangers=False)


@pytest.mark.parametrize("accept_strangers", [True, False])
def test_the_first_message_that_is_signed_and_opens_makes_the_contact(accept_strangers: bool) -> None:
    with World(14) as world:
        bob = world.client("bob", accept_strangers=accept_strangers)
        stranger = RawClient(world)
        stranger.register()
        stranger.log_in()
        record = decode_record(bob.store.profile.identity().record)

        def write(counter: int, text: str, **changes: object) -> None:
            padded = p.pad_payload(p.Text(counter, 1, b"t" * 16, None, None, text), first_contact=True)
            stranger.hand_in(stranger.forward("bob", record, padded, **changes))
            world.settle(5)

        write(1, "signed by no one", inner_signature=bytes(64))
        stranger.hand_in(stranger.forward("bob", record, b"\x00" * 169))  # opens, and holds nothing
        world.settle(5)
        assert list(bob.store.contacts.all()) == []
        write(2, "signed")
        expected = Consent.ACCEPTED if accept_strangers else Consent.PENDING
        assert [(each.name, each.consent) for each in bob.store.contacts.all()] == [("mallory", expected)]
        assert bob.texts() == ["signed"]
        world.check()


def flood(world: World, consent: Consent, size: int) -> tuple[SimClient, RawClient]:
    """A stranger writes more than is kept; the user has not decided, or has declined."""
    bob = world.client("bob", accept_strangers=False)
    stranger = RawClient(world)
    stranger.register()
    stranger.log_in()
    record = decode_record(bob.store.profile.identity().record)
    for counter in range(1, STRANGERS_MESSAGES_MAX + 12):
        padded = p.pad_payload(p.Text(counter, 1, b"t" * 16, None, None, "x" * size), first_contact=True)
        stranger.throw(stranger.encode(m.TopUp(60, stranger.name, stranger.login_id)), 60)
        stranger.hand_in(stranger.forward("bob", record, padded))
        world.settle(3)
        if counter == 1:
            bob.store.contacts.set_consent(stranger.name, consent)
    world.settle(30)
    return bob, stranger


def a_stranger_who_writes_without_end(consent: Consent, size: int) -> None:
    with World(12) as world:
        bob, stranger = flood(world, consent, size)
        count, kept = bob.store.messages.kept_of(stranger.name, unshown=False)
        assert count == STRANGERS_MESSAGES_MAX or kept < STRANGERS_BYTES_MAX + size
        assert count <= STRANGERS_MESSAGES_MAX
        assert not world.node.store.mailbox.waiting("bob", 1), "what is not kept does not come again"
        world.check()


@pytest.fixture
def generous_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that lets strangers write as much as friends: the client's bound does not rest on the node's."""
    monkeypatch.setattr(shares, "LIMITS", replace(shares.LIMITS, newcomer=shares.LIMITS.known))


@pytest.mark.usefixtures("generous_node")
@pytest.mark.parametrize("size", [10, 30_000])
@pytest.mark.parametrize("consent", [Consent.PENDING, Consent.DECLINED])
def test_a_stranger_fills_no_disk(consent: Consent, size: int) -> None:
    a_stranger_who_writes_without_end(consent, size)


@pytest.mark.usefixtures("generous_node")
def test_the_check_above_notices_a_disk_that_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inbox, "_has_full_share", lambda _self, _contact: False)
    with pytest.raises(AssertionError):
        a_stranger_who_writes_without_end(Consent.DECLINED, 10)


def test_a_contact_of_long_standing_who_is_accepted_has_no_such_bound() -> None:
    with World(15) as world:
        alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
        alice.send_and_wait("bob", "hello", DeliveryState.ACCEPTED)
        world.settle(10)
        bob.store.contacts.set_consent("alice", Consent.ACCEPTED)
        for number in range(STRANGERS_MESSAGES_MAX + 5):
            alice.send_and_wait("bob", f"{number}")
        assert len(bob.texts()) == STRANGERS_MESSAGES_MAX + 6
        world.check()


@pytest.mark.seconds
def test_a_request_that_no_one_decides_about_expires_and_may_come_again() -> None:
    with World(16) as world:
        alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
        carol = world.client("carol")
        for friend in (alice, carol):
            friend.send_and_wait("bob", "may I?", DeliveryState.ACCEPTED)
        world.settle(10)
        bob.store.contacts.set_consent("carol", Consent.DECLINED)
        for process in (alice, carol, bob):
            process.kill()
        world.sim.run_for(REQUEST_S - DAY_S)
        bob.start()
        world.settle(60)
        assert bob.contact("alice").consent is Consent.PENDING
        bob.kill()
        world.sim.run_for(2 * DAY_S)
        bob.start()
        world.settle(60)
        assert bob.store.contacts.get("alice") is None
        assert bob.of_kind(TextsErased) == [TextsErased("alice", 1)]
        assert bob.contact("carol").consent is Consent.DECLINED, "that is a decision"
        bob.go_online()
        alice.start()
        alice.go_online()
        alice.send_and_wait("bob", "may I now?", DeliveryState.ACCEPTED)
        world.settle(10)
        assert bob.contact("alice").consent is Consent.PENDING
        assert bob.texts("alice") == ["may I?", "may I now?"]
        world.check()
