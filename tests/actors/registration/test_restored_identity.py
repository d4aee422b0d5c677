"""Identity for life: restored from its words on an empty machine; replaced after a theft."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actors.handshake.test_direct import direct_pair
from tests.actors.registration.test_rotation import pass_days_away, rotate
from tests.helpers.record_publisher import RecordPublisher
from usernym.actors import messages as msg
from usernym.actors.events import ContactChanged, HandshakeChanged, IdentityChanged, MessageArrived, NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.actors.messages import FoundRecord
from usernym.identity import IdentityMaker, WordsUnfit
from usernym.protocol import messages as m
from usernym.protocol.limits import UINT32_MAX
from usernym.protocol.records import accepts_change, decode_record, decode_succession, verify_chain
from usernym.protocol.safety import safety_number
from usernym.protocol.signing import SigningKey
from usernym.protocol.words import first_identity_seed
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, DeliveryState, HandshakeState, IdentityState, Route, Trust
from usernym.testing.world import SimClient, World


def found(world: World, name: str) -> FoundRecord:
    """What the node shows of a name."""
    account = world.node.store.directory.account(name)
    assert account is not None
    chain = tuple(decode_succession(link.blob) for link in world.node.store.directory.links(name, 0))
    return FoundRecord(decode_record(account.record), chain)


def words_of(client: SimClient) -> str:
    assert client.words is not None
    return client.words


def on_an_empty_machine(
    world: World, lost: SimClient, bring: Any = IdentityMaker.restore, **settings: Any
) -> SimClient:
    """The same person with a new store, made from the words; not online yet."""
    lost.kill()
    store = ClientStore.open_plain()
    sim = world.sim
    maker = IdentityMaker(store, lost.name, world.node.card, sim.random_bytes, sim.unix_s())
    bring(maker, words_of(lost), found(world, lost.name))
    return world.client(lost.name, register=False, online=False, store=store, **settings)


def replace_at_home(world: World, client: SimClient, *, shown: bool = True) -> None:
    """The same home with a new identity, started again; not online yet."""
    client.kill()
    seen = found(world, client.name) if shown else None
    sim = world.sim
    maker = IdentityMaker(client.store, client.name, world.node.card, sim.random_bytes, sim.unix_s())
    maker.replace(words_of(client), seen)
    client.start()


def number_between(one: SimClient, other: SimClient) -> str:
    """The safety number, as `one` sees it."""
    contact = one.contact(other.name)
    return safety_number(one.user.node, (one.name, one.user.key.public), (contact.name, contact.identity_key))


@pytest.mark.seconds
@pytest.mark.parametrize("rotations", [0, 1])
def test_words_bring_name_identity_and_waiting_messages_back(rotations: int) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    for _ in range(rotations):
        pass_days_away(world, 8, alice, bob)
        for client in (alice, bob):
            rotate(world, client)
    before, number = found(world, "bob").record, number_between(alice, bob)
    assert before.hpke_number == 1 + rotations
    alice.store.contacts.set_trust("bob", Trust.VERIFIED)
    bob.kill()
    waiting = [alice.send_and_wait("bob", f"{each}", DeliveryState.ACCEPTED) for each in ("one", "two")]

    bob = on_an_empty_machine(world, bob)
    assert bob.user.key.public == before.identity_key
    bob.go_online()
    for message_id in waiting:
        alice.wait_for_state(message_id, DeliveryState.DELIVERED, 600)
    assert sorted(bob.texts()) == ["one", "two"]
    assert number_between(alice, bob) == number == number_between(bob, alice)
    assert alice.contact("bob").trust is Trust.VERIFIED
    assert not alice.of_kind(IdentityChanged)
    assert not alice.of_kind(NodeCaught)
    after = found(world, "bob").record
    assert (after.identity_key, after.number) == (before.identity_key, before.number + 1)
    assert after.hpke_key != before.hpke_key
    bob.send_and_wait("alice", "it is me")
    bob.restart()
    bob.go_online()
    alice.send_and_wait("bob", "after another start")
    world.check()


def test_a_restored_home_ends_its_direct_route_and_can_offer_another_and_none_of_its_texts_is_late() -> None:
    world, alice, bob = direct_pair(31)
    for each in range(3):
        bob.send_and_wait("alice", f"before {each}")
    bob = on_an_empty_machine(world, bob)
    bob.go_online()
    bob.send_and_wait("alice", "after")
    contact = alice.contact("bob")
    assert (contact.handshake, contact.peer_address, contact.trust) == (HandshakeState.NONE, None, Trust.CONFIRMED)
    assert alice.events[-2:] == [HandshakeChanged("bob", HandshakeState.NONE), alice.of_kind(MessageArrived)[-1]]
    assert alice.of_kind(MessageArrived)[-1].missing == 0
    assert not any(row.late for row in alice.store.messages.conversation("bob", 10))

    bob.offer("alice")
    world.sim.run_until(lambda: alice.contact("bob").handshake is HandshakeState.OFFER_RECEIVED)
    alice.accept("bob")
    world.sim.run_until(lambda: bob.contact("alice").handshake is HandshakeState.ACTIVE)
    assert alice.contact("bob").peer_address == bob.address
    alice.send_and_wait("bob", "directly")
    assert bob.store.messages.conversation("alice", 1)[0].route is Route.DIRECT
    bob.revoke("alice")
    world.sim.run_until(lambda: alice.contact("bob").handshake is HandshakeState.ENDED_BY_PEER)


def test_an_offer_to_a_restored_home_is_an_offer_and_can_be_taken_back() -> None:
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        bob.send_and_wait("alice", "hi")
        bob = on_an_empty_machine(world, bob)
        bob.go_online()
        bob.send_and_wait("alice", "hi again")
        for ends in (True, False):
            alice.offer("bob")
            assert alice.contact("bob").handshake is HandshakeState.OFFERED
            world.sim.run_until(lambda: bob.contact("alice").handshake is HandshakeState.OFFER_RECEIVED, 60)
            if ends:
                alice.revoke("bob")
                world.sim.run_until(lambda: bob.contact("alice").handshake is HandshakeState.ENDED_BY_PEER, 60)
        bob.accept("alice")
        world.sim.run_until(lambda: alice.contact("bob").handshake is HandshakeState.ACTIVE, 60)
        world.check()


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("decision", [Consent.ACCEPTED, Consent.DECLINED, Consent.BLOCKED, None])
def test_what_waited_for_a_restored_home_that_asks_waits_for_its_users_word(
    decision: Consent | None, told: bool
) -> None:
    """It was discarded there: no one is a contact in a new home, and nothing opens what was sealed to the lost one."""
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hello")
        bob.kill()
        waiting = alice.send_and_wait("bob", "are you there?", DeliveryState.ACCEPTED)
        bob = on_an_empty_machine(world, bob, accept_strangers=False)
        bob.go_online()
        world.settle(1800)
        assert alice.states(waiting) == [DeliveryState.ACCEPTED], "a stranger learns nothing"
        assert bob.contact("alice").consent is Consent.PENDING
        assert [event.state for event in bob.of_kind(ContactChanged)] == [Consent.PENDING]
        if decision is None:
            alice.send("bob", "hello?")
            world.settle(600)
            assert bob.texts() == [], "alice has not seen the new key yet, and is not told of it"
        bob.store.contacts.set_consent("alice", decision or Consent.ACCEPTED)
        if told:  # else a heartbeat brings it
            bob.graph.forwarding.tell(msg.RequestsDecided())
        world.settle(15 if told else 600)
        assert ("hello?" in bob.texts()) is (decision is None)
        lost = decision in (Consent.BLOCKED, Consent.DECLINED)
        assert ("are you there?" in bob.texts()) is not lost
        assert (DeliveryState.DELIVERED in alice.states(waiting)) is not lost
        if lost:
            assert not world.node.store.mailbox.waiting("bob", 1)
        world.check()


def test_a_crash_before_the_node_has_the_new_key_loses_nothing() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob = on_an_empty_machine(world, bob)
    for wait in (0.0, 0.05, 0.2, 0.4, 0.8):
        bob.connect()
        world.settle(wait)
        bob.restart()
    bob.go_online()
    alice.send_and_wait("bob", "still there")
    world.check()


def test_words_of_somebody_else_change_nothing() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    store, sim, card = ClientStore.open_plain(), world.sim, world.node.card
    for bring in (IdentityMaker.restore, IdentityMaker.replace):
        with pytest.raises(WordsUnfit, match="not the words of this name"):
            bring(
                IdentityMaker(store, "bob", card, sim.random_bytes, sim.unix_s()), words_of(alice), found(world, "bob")
            )
    maker = IdentityMaker(bob.store, "bob", card, sim.random_bytes, sim.unix_s())
    with pytest.raises(WordsUnfit):
        maker.replace(words_of(alice), found(world, "bob"))
    assert not store.profile.has_identity()
    world.check()


@pytest.mark.parametrize("where", ["at home", "elsewhere"])
def test_a_stolen_disk_is_answered_by_a_succession_that_beats_the_thiefs(where: str) -> None:
    world = World()
    alice, bob, carol = world.client("alice"), world.client("bob"), world.client("carol")
    for friend in (alice, carol):
        friend.send_and_wait("bob", "hello")
    number = number_between(alice, bob)
    alice.store.contacts.set_trust("bob", Trust.VERIFIED)
    first = found(world, "bob").record
    # The thief has the identity key: changes the identity to one of their own, and uses up all numbers.
    thief = SigningKey.from_seed(b"t" * 32)
    answer, _ = RecordPublisher(world).publish(
        "bob", first.stub(), thief, bob.user.key, number=UINT32_MAX, hpke_number=UINT32_MAX
    )
    assert isinstance(answer, m.Published)
    assert alice.look_up("bob").identity_key == thief.public

    with pytest.raises(WordsUnfit, match="replace"):
        on_an_empty_machine(world, bob)
    if where == "at home":
        replace_at_home(world, bob)
    else:
        bob = on_an_empty_machine(world, bob, IdentityMaker.replace)
    bob.go_online()
    bob.send_and_wait("alice", "it was not me")
    for friend in (alice, carol):
        friend.look_up("bob")
        assert friend.contact("bob").identity_key == bob.user.key.public
        assert friend.contact("bob").trust is Trust.CHANGED
        friend.look_at_identity("bob")
    alice.send_and_wait("bob", "so I thought")
    carol.send_and_wait("bob", "carol never saw the thief")
    for friend in (alice, carol):
        assert friend.of_kind(IdentityChanged)
        assert not friend.of_kind(NodeCaught)
    assert number_between(alice, bob) != number
    assert number_between(alice, bob) == number_between(bob, alice)
    # And what the thief's key signs after that moves no one.
    again, _ = RecordPublisher(world).publish("bob", first.stub(), SigningKey.from_seed(b"u" * 32), thief)
    assert isinstance(again, m.Refused)
    world.check()


def test_what_waited_for_the_former_identity_is_opened_by_its_keys() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.kill()
    waiting = alice.send_and_wait("bob", "sealed to the old identity", DeliveryState.ACCEPTED)
    replace_at_home(world, bob)
    bob.go_online()
    alice.wait_for_state(waiting, DeliveryState.DELIVERED, 300)
    assert bob.texts()[-1] == "sealed to the old identity"
    assert alice.states(waiting) == [DeliveryState.ACCEPTED, DeliveryState.DELIVERED], "it did not have to be resent"
    world.check()


@pytest.mark.seconds
def test_what_waited_and_can_not_be_opened_any_more_is_sealed_again_to_the_new_identity() -> None:
    """The sender learns of the new identity by a statement that the one it knows did not sign."""
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.kill()
    waiting = alice.send_and_wait("bob", "for whom it concerns", DeliveryState.ACCEPTED)
    bob = on_an_empty_machine(world, bob, IdentityMaker.replace)
    bob.go_online()
    world.settle(3600.0)
    assert alice.of_kind(IdentityChanged) == [IdentityChanged("bob", False)]
    assert bob.texts() == [], "nothing is sealed to an identity that the sender has not looked at"
    another = alice.write("bob", "a second one waits, too")
    world.settle(3600.0)
    assert (bob.texts(), alice.states(another.result())) == ([], [])
    alice.look_at_identity("bob")
    alice.wait_for_state(waiting, DeliveryState.DELIVERED, 600)
    alice.wait_for_state(another.result(), DeliveryState.DELIVERED, 600)
    assert sorted(bob.texts()) == ["a second one waits, too", "for whom it concerns"]
    assert not alice.of_kind(NodeCaught)
    world.check()


def test_a_thief_who_deletes_the_account_does_not_keep_the_name() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    thief = SimClient(world, "bob")  # with the stolen disk
    thief.kill()
    thief.store, thief._opened = bob.store, True
    bob.kill()
    thief.start()
    thief.do(thief.graph.registration, msg.DeleteAccount)
    thief.kill()
    account = world.node.store.directory.account("bob")
    assert account is not None
    assert account.deleted_until is not None

    bob.store.profile.set_identity_state(IdentityState.REGISTERED)
    replace_at_home(world, bob, shown=False)
    bob.go_online()
    assert alice.look_up("bob").trust is Trust.CHANGED
    alice.look_at_identity("bob")
    alice.send_and_wait("bob", "you are back")
    with pytest.raises(NodeRefused):
        world.client("bob", online=False, store=stolen(world, words_of(bob)))
    world.check()


def stolen(world: World, words: str) -> ClientStore:
    """A store with the first identity, as the thief has it."""
    store = ClientStore.open_plain()
    IdentityMaker(store, "bob", world.node.card, world.sim.random_bytes, world.sim.unix_s()).create(words)
    return store


def test_the_identity_after_a_theft_is_none_that_was_there_before_whatever_the_node_shows() -> None:
    """A node hides the last links, or was restored from an older copy: no number that it supplies chooses a secret."""
    with World() as world:
        bob = world.client("bob")
        shown, store, sim = found(world, "bob"), ClientStore.open_plain(), world.sim
        seeds = {bob.store.profile.identity().seed}
        for number in range(2, 6):
            store = ClientStore.open_plain()
            IdentityMaker(store, "bob", world.node.card, sim.random_bytes, sim.unix_s()).replace(words_of(bob), shown)
            identity = store.profile.identity()
            seeds.add(identity.seed)
            assert len(seeds) == number
            assert decode_record(identity.record).recoveries == 1, "as the node shows it: the owner remembers more"


def test_an_owner_to_whom_the_node_shows_too_little_gets_ahead_by_replacing_again() -> None:
    """Contacts who know the second identity follow when the count of recoveries exceeds what they know."""
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hello")
        older = found(world, "bob")
        replace_at_home(world, bob)
        pinned = decode_record(bob.store.profile.identity().record)
        chain, counts = older.chain, []
        for _ in range(2):
            store, sim = ClientStore.open_plain(), world.sim
            seen = FoundRecord(older.record, chain)
            IdentityMaker(store, "bob", world.node.card, sim.random_bytes, sim.unix_s()).replace(words_of(bob), seen)
            pending = store.profile.pending_record()
            assert pending is not None
            assert pending.succession is not None
            chain = (*chain, pending.succession)
            verify_chain(world.node.card.node, "bob", chain)
            counts.append((pending.record.recoveries, accepts_change(pinned, chain)))
        assert counts == [(1, False), (2, True)]


def test_words_alone_do_not_make_an_identity_again_that_replaced_another() -> None:
    with World() as world:
        bob = world.client("bob")
        replace_at_home(world, bob)
        bob.go_online()
        with pytest.raises(WordsUnfit, match="make its identity again"):
            on_an_empty_machine(world, bob)
        again = on_an_empty_machine(world, bob, IdentityMaker.replace)
        again.go_online()
        assert found(world, "bob").record.recoveries == 2
        assert (
            again.store.profile.former_identities()
            == [link.stub.identity_key for link in found(world, "bob").chain][:2]
        )
        world.check()


def test_the_first_check_notices_an_identity_that_is_chosen_by_what_the_node_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("usernym.identity.next_identity_seed", lambda root, _fresh: first_identity_seed(root + b"1"))
    with pytest.raises(AssertionError):
        test_the_identity_after_a_theft_is_none_that_was_there_before_whatever_the_node_shows()
