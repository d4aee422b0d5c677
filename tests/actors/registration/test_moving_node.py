"""A node that moves to another address: its newer card moves its clients, and nothing else does."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from typing import Any

import pytest

from tests.actors.registration.test_rotation import pass_days_away
from tests.helpers.hostile import HostileWorld, RawClient, Wiretap, message_of, total
from usernym.actors import messages as msg
from usernym.actors.events import ConnectionChanged, NodeAddressChanged, NodeCaught
from usernym.actors.registration.card_holder import CARDS_AGAIN_S, CARDS_AT_ONCE
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.former_addresses import JoinedTransport
from usernym.mixnet.transport import ADDRESS_BYTES, Incoming
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard, card_text, make_card, parse_card
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.signing import SigningKey
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World


def run_node(world: World, current: bytes | None, *former: bytes) -> bytes:
    """End the node's process, and start one at `current` (None: a new address) that still listens at `former` ones."""
    node = world.node
    end = getattr(node, "end_formers", None)
    node.kill()
    if end is not None:
        end()
    world.sim.run_for(1)
    transports = [world.mixnet.transport(address) for address in former]
    formers = contextlib.ExitStack()
    for transport in transports:
        formers.callback(transport.close)
    vars(node)["end_formers"] = formers.close
    world.node_transport = lambda transport, _: JoinedTransport(transport, transports)
    node.address = current
    node.start_and_wait()
    assert node.address is not None
    return node.address


def card_of(client: SimClient) -> NodeCard:
    """The newest card on the client's disk: given by hand, or sent by the node."""
    settings = (client.store.profile.setting(key) for key in ("node_card", "sent_node_card"))
    cards = [parse_card(setting.decode()) for setting in settings if setting is not None]
    return max(cards, key=lambda card: card.sequence)


def give(client: SimClient, card: NodeCard) -> bool:
    """The user has the card from someone."""
    taken: bool = client.do(client.graph.registration, lambda answer: msg.TakeCard(card, answer))
    return taken


def pair(world: World) -> tuple[SimClient, SimClient, bytes]:
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    world.settle(10)
    assert world.node.address is not None
    return alice, bob, world.node.address


@pytest.mark.parametrize("seed", range(8))
def test_clients_follow_a_node_that_keeps_its_old_address_up_for_a_while(seed: int) -> None:
    world = World(seed)
    alice, bob, old = pair(world)
    first = world.node.card
    new = run_node(world, None, old)
    assert world.node.card.sequence > first.sequence
    assert (world.node.card.node, world.node.card.addresses[0]) == (first.node, new)
    late = alice.send("bob", "while it moves")
    alice.wait_for_state(late, DeliveryState.DELIVERED)
    world.settle(180)
    for client in (alice, bob):
        assert card_of(client) == world.node.card
        assert client.of_kind(ConnectionChanged)[-1].online
        assert client.counters()["registration"]["cards_taken"] == 1
    run_node(world, new)
    world.settle(180)
    bob.send_and_wait("alice", "the old address is gone")
    alice.send_and_wait("bob", "and nobody minds")
    assert bob.texts() == ["before", "while it moves", "and nobody minds"]
    assert alice.texts() == ["the old address is gone"]
    world.check()


def test_nothing_is_told_to_those_who_have_the_card() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob, old = pair(world)
    new = run_node(world, None, old)
    world.settle(300)
    tap.replies.clear()
    for client in (alice, bob):
        client.kill()
        client.start()
        client.go_online()
    world.settle(300)
    assert not [data for _, _, data in tap.replies if isinstance(message_of(data), m.NewCard)]
    assert new == world.node.card.addresses[0]
    world.check()


@pytest.mark.seconds
@pytest.mark.parametrize("seed", range(4))
def test_a_client_that_was_away_finds_the_node_where_it_was_and_is_sent_on(seed: int) -> None:
    world = World(seed)
    alice, bob, old = pair(world)
    bob.kill()
    waiting = alice.send_and_wait("bob", "for later", DeliveryState.ACCEPTED)
    new = run_node(world, None, old)
    world.settle(180)
    pass_days_away(world, 3, alice)
    alice.go_online()
    start_with_stored_card(bob)
    bob.go_online()
    alice.wait_for_state(waiting, DeliveryState.DELIVERED)
    world.settle(60)
    assert card_of(bob).addresses[0] == new
    assert bob.texts() == ["before", "for later"]
    world.check()


def start_with_stored_card(client: SimClient) -> None:
    """A new process of a user who has received nothing: it has the card that is on its disk."""
    world = client.world
    cards = world.node.cards
    world.node.cards = [card_of(client)]
    client.start()
    world.node.cards = cards


def test_a_client_that_comes_too_late_takes_a_card_that_somebody_hands_on() -> None:
    world = World()
    alice, bob, _ = pair(world)
    bob.kill()
    waiting = alice.send_and_wait("bob", "for later", DeliveryState.ACCEPTED)
    run_node(world, None)
    start_with_stored_card(bob)
    bob.begin(bob.graph.registration, msg.GoOnline)
    world.settle(600)
    assert bob.texts() == ["before"], "nobody is at the old address any more"
    for client in (alice, bob):
        assert give(client, world.node.card)
        assert card_of(client) == world.node.card
    alice.wait_for_state(waiting, DeliveryState.DELIVERED, 30)
    assert bob.texts() == ["before", "for later"]
    assert not give(bob, world.node.card), "known by now"
    stranger = make_card(SigningKey.from_seed(b"s" * 32), [bytes(96)], 2**31, 20_000)
    with pytest.raises(RemoteProtocolError) as refusal:
        give(bob, stranger)
    assert refusal.value.code is Code.CARD_INVALID
    assert card_of(bob) == world.node.card
    world.check()


@pytest.mark.seconds
@pytest.mark.parametrize("seed", range(6))
def test_a_move_on_a_mixnet_that_loses_messages_for_good(seed: int) -> None:
    world = World(seed)
    alice, bob, old = pair(world)
    world.mixnet.faults = Faults(silent_loss=0.25, loss=0.1, hop_delay_s=0.3)
    new = run_node(world, None, old)
    texts = [alice.send("bob", f"text {number}") for number in range(5)]
    world.sim.run_until(lambda: card_of(alice).addresses[0] == card_of(bob).addresses[0] == new, 1800)
    for message_id in texts:
        alice.wait_for_state(message_id, DeliveryState.DELIVERED, 7200)
    assert sorted(bob.texts()) == sorted(["before", *(f"text {number}" for number in range(5))])
    world.check()


def test_there_and_back_again() -> None:
    world = World()
    alice, bob, first = pair(world)
    second = run_node(world, None, first)
    world.settle(240)
    run_node(world, first, second)
    world.settle(CARDS_AGAIN_S + 240)
    assert card_of(alice).addresses[0] == card_of(bob).addresses[0] == first
    run_node(world, first)
    world.settle(180)
    alice.send_and_wait("bob", "home again")
    world.check()


def test_a_node_restored_from_an_older_copy_makes_a_card_that_is_newer_than_any_it_made() -> None:
    world = World()
    alice, bob, old = pair(world)
    copy = world.node.store.profile.card()
    assert copy is not None
    second = run_node(world, None, old)
    world.settle(240)
    assert card_of(alice).addresses[0] == second
    with world.node.store.transaction():
        world.node.store.database.run("UPDATE node_card SET sequence = ?, blob = ?", (copy.sequence, copy.blob))
    third = run_node(world, None, second)
    world.settle(CARDS_AGAIN_S + 240)
    assert third != second
    assert card_of(alice).addresses[0] == card_of(bob).addresses[0] == third
    world.check()


def test_a_card_that_crosses_the_login_is_followed_by_another_login() -> None:
    """The node must hear which card the client has, or it tells it forever."""
    world = World()
    tap = Wiretap(world)
    alice, _, old = pair(world)
    run_node(world, None, old)
    start = len(tap.sent)
    alice.kill()
    start_with_stored_card(alice)
    alice.begin(alice.graph.registration, msg.GoOnline)
    world.sim.run_until(lambda: any(isinstance(message_of(one.data), m.LoginProof) for one in tap.sent[start:]))
    assert give(alice, world.node.card)
    world.settle(240)
    tap.replies.clear()
    world.settle(300)
    assert not [data for _, _, data in tap.replies if isinstance(message_of(data), m.NewCard)]
    world.check()


# -- who means harm ---------------------------------------------------------------------------------------------------


def told(world: HostileWorld, alice: SimClient, card: NodeCard) -> int:
    """Have the node tell this card; returns how many cards the client has taken."""
    world.scripted.tell("alice", m.NewCard(bytes(16), 1, card))
    world.settle(3)
    return alice.counters()["registration"].get("cards_taken", 0)


def hostile_world() -> tuple[HostileWorld, SimClient, bytes]:
    world = HostileWorld()
    alice = world.client("alice")
    elsewhere = world.mixnet.transport().address
    return world, alice, elsewhere


def test_a_card_that_the_node_did_not_sign_moves_nobody() -> None:
    world, alice, elsewhere = hostile_world()
    known = card_of(alice)
    forged = make_card(SigningKey.from_seed(b"f" * 32), [elsewhere], 9, 20_000)
    for card in (
        forged,
        NodeCard(known.node, (elsewhere,), (1,), 9, 20_000, forged.signature),
        NodeCard(known.node, (elsewhere,), (1,), 9, 20_000, known.signature),
        NodeCard(known.node, known.addresses, (1,), 9, 20_000, bytes(64)),
    ):
        assert told(world, alice, card) == 0
    assert len(alice.of_kind(NodeCaught)) == 4
    assert card_of(alice) == known
    assert alice.of_kind(ConnectionChanged)[-1].online, "and it stays where it is"
    world.check()


def test_cards_without_an_address_that_ends_move_a_client_a_few_times_in_ten_minutes() -> None:
    """As often as a node has processes, which are ended and started again one after the other."""
    world, alice, _ = hostile_world()
    node = world.scripted
    here = node.transport.address
    for sequence in range(5, 5 + CARDS_AT_ONCE + 3):
        card = make_card(node.key, [here, bytes([sequence]) * ADDRESS_BYTES], sequence, 20_000)
        assert told(world, alice, card) == min(sequence - 4, CARDS_AT_ONCE)
        world.settle(CARDS_AGAIN_S / (CARDS_AT_ONCE + 6))  # until it has logged in again, within the bounds of that
    world.sim.run_for(CARDS_AGAIN_S)
    assert told(world, alice, make_card(node.key, [here], 99, 20_000)) == CARDS_AT_ONCE + 1
    more = make_card(node.key, [here, bytes(ADDRESS_BYTES)], 100, 20_000)
    assert told(world, alice, more) == CARDS_AT_ONCE + 1, "one that has an address more can wait"
    world.check()


def test_an_older_card_and_the_same_again_move_nobody() -> None:
    world, alice, elsewhere = hostile_world()
    node = world.scripted
    for sequence in (5, 6):
        newer = make_card(node.key, [node.transport.address], sequence, 20_000)
        world.sim.run_for(CARDS_AGAIN_S)
        told(world, alice, newer)
        assert card_of(alice) == newer
    world.settle(5)
    for card in (make_card(node.key, [elsewhere], 3, 20_000), make_card(node.key, [elsewhere], 5, 20_000), newer):
        assert told(world, alice, card) == 2
    assert card_of(alice) == newer
    assert not alice.of_kind(NodeCaught), "an old card may be late"
    assert alice.counters()["registration"]["refused_card_stale"] == 3
    world.check()


def test_a_card_said_by_somebody_else_or_to_another_login_moves_nobody() -> None:
    world, alice, elsewhere = hostile_world()
    known = card_of(alice)
    node = world.scripted
    mallory = RawClient(world)
    card = make_card(node.key, [elsewhere], 9, 20_000)
    login_id = alice.store.profile.login_id() or b""
    assert alice.address is not None
    for signer, login in ((mallory.key, login_id), (node.key, bytes(16))):
        mallory.throw(mallory.encode(m.NewCard(login, 50, card), signer), to=alice.address)
        world.settle(3)
    assert card_of(alice) == known
    mallory.throw(mallory.encode(m.NewCard(login_id, 50, card), node.key), to=alice.address)
    world.settle(3)
    assert card_of(alice) == card, "the same words from the node itself do"
    world.check()


def test_a_flood_of_new_cards_moves_a_client_once_in_a_while() -> None:
    world, alice, _ = hostile_world()
    node = world.scripted
    for sequence in range(2, 202):
        world.scripted.tell(
            "alice", m.NewCard(bytes(16), 1, make_card(node.key, node.card.addresses, sequence, 20_000))
        )
        world.sim.run_for(0.1)
    world.settle(30)
    logins = sum(isinstance(request, m.LoginProof) for request in node.requests)
    assert alice.counters()["registration"]["cards_taken"] == 1
    assert total({"registration": alice.counters()["registration"]}, "refused_busy") >= 1
    assert logins == 2, "one more than without the flood"
    world.check()


def test_a_client_that_claims_any_card_gets_what_others_get() -> None:
    world = World()
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    assert not mallory.received(m.NewCard)
    for sequence, cards in ((1, 1), (world.node.card.sequence - 1, 2), (2**32 - 1, 2)):
        challenge = mallory.ask(m.LoginAsk(mallory.new_id(), 2, "mallory"))
        nonce, expires_at, mac = challenge.nonce, challenge.expires_at, challenge.mac
        mallory.ask(m.LoginProof(mallory.new_id(), 2, "mallory", nonce, expires_at, mac, sequence, 0))
        world.settle(2)
        assert len(mallory.received(m.NewCard)) == cards
    assert mallory.received(m.NewCard)[0].card == world.node.card
    assert card_text(world.node.card) == card_text(mallory.received(m.NewCard)[1].card)
    world.check()


def test_a_card_is_on_disk_before_the_client_moves() -> None:
    """Killed right after it took the card, the client starts at the new address."""
    world = World()
    alice, _, old = pair(world)
    new = run_node(world, None, old)
    world.sim.run_until(lambda: card_of(alice).addresses[0] == new, 300)
    alice.kill()
    run_node(world, new)
    start_with_stored_card(alice)
    alice.go_online()
    world.check()


def sent_to(tap: Wiretap, client: SimClient, address: bytes) -> list[Any]:
    return [message_of(one.data) for one in tap.sent if (one.client, one.recipient) == (client.client_number, address)]


def test_what_was_asked_at_the_old_address_is_asked_again_at_the_new() -> None:
    world = World()
    tap = Wiretap(world)
    alice, _, old = pair(world)
    new = run_node(world, None)
    lookup: Future[None] = alice.begin(alice.graph.lookup, lambda answer: msg.FindContact("bob", answer))
    world.settle(2)
    assert any(isinstance(request, m.Lookup) for request in sent_to(tap, alice, old))
    give(alice, world.node.card)
    world.sim.run_until(lookup.done, 3)
    assert any(isinstance(request, m.Lookup) for request in sent_to(tap, alice, new))
    world.check()


def test_an_address_that_one_user_alone_was_sent_shows_nothing_of_a_process_that_never_logs_in() -> None:
    """Only that user could have come there: so only what is theirs in any case goes there, and they see the change."""
    world, alice, _ = hostile_world()
    given = card_of(alice)
    own, seen = world.mixnet.transport(), list[Any]()
    own.open(lambda event: seen.append(message_of(event.data)) if isinstance(event, Incoming) else None)
    sent = make_card(world.scripted.key, [own.address], 2, 20_000)
    world.client("carol")
    assert told(world, alice, sent) == 1
    assert alice.of_kind(NodeAddressChanged) == [NodeAddressChanged(card_text(sent))]
    assert any(isinstance(message, m.LoginAsk) for message in seen), "her login goes there"
    world.settle(60)
    alice.restart()  # and does not go online
    seen.clear()
    alice.look_up("carol")
    assert not seen, "asked at the address that was given by hand"
    assert card_of(alice) == sent
    alice.connect()
    world.settle(5)
    assert [type(message) for message in seen] == [m.LoginAsk]
    assert parse_card((alice.store.profile.setting("node_card") or b"").decode()) == given
    assert give(alice, sent), "someone else has the same card: it is no user's own"
    alice.restart()
    alice.begin(alice.graph.lookup, lambda answer: msg.FindContact("carol", answer))
    world.settle(2)
    world.check()
