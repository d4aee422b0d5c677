"""Lookups with proof, in simulated worlds: what each costs, what the user sees, and what a lying node gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.helpers.hostile import RawClient, Wiretap, message_of
from tests.helpers.record_publisher import RecordPublisher
from usernym.actors import messages as msg
from usernym.actors.failures import NodeRefused
from usernym.actors.lookup.node import LookupNode
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import EPOCH_S
from usernym.protocol.packets import anonymous_packets, reply_packets
from usernym.protocol.records import decode_record
from usernym.protocol.signing import SigningKey
from usernym.storage.client.types import InDirectory, Trust
from usernym.testing.world import SimClient, World


def settled(*names: str, seed: int = 0, **settings: Any) -> World:
    """A world in which these users are registered, and in the log."""
    world = World(seed, **settings)
    for name in names:
        world.client(name)
    world.settle(2 * EPOCH_S)
    return world


def client_of(world: World, name: str) -> SimClient:
    return world.clients[name]


def cost(tap: Wiretap, since: tuple[int, int], by: SimClient | None = None) -> tuple[int, int, list[type]]:
    """Packets up and down for lookups since then, and the kinds of the answers; with `by`, for those that this client
    made of other names than its own."""
    asked = [one for one in tap.sent[since[0] :] if isinstance(message_of(one.data), m.Lookup | m.History)]
    if by is not None:
        asked = [one for one in asked if one.client == by.client_number and message_of(one.data).name != by.name]
    answers = [data for _, _, data in tap.replies[since[1] :]]
    kinds = (m.Found, m.Proved, m.Absent, m.Promised, m.Links, m.Refused)
    ids = {message_of(one.data).request_id for one in asked}
    answers = [data for data in answers if isinstance(message_of(data), kinds) and message_of(data).request_id in ids]
    up = sum(anonymous_packets(len(one.data), one.surbs or 0) for one in asked)
    return up, sum(reply_packets(len(data)) for data in answers), [type(message_of(data)) for data in answers]


def now_in(tap: Wiretap) -> tuple[int, int]:
    return len(tap.sent), len(tap.replies)


def test_a_first_lookup_is_one_packet_up_and_two_down_and_a_later_one_is_one_each_way() -> None:
    with settled("alice", "bob", "carol") as world:
        alice, tap = client_of(world, "alice"), Wiretap(world)
        since = now_in(tap)
        contact = alice.look_up("bob")
        assert cost(tap, since) == (1, 2, [m.Proved])
        assert contact.log_size == world.node.store.log.size()
        assert (contact.directory, contact.trust) == (InDirectory.SHOWN, Trust.CONFIRMED)
        for _ in range(2):
            since = now_in(tap)
            assert alice.look_up("bob").directory is InDirectory.SHOWN
            assert cost(tap, since) == (1, 1, [m.Found])
        world.check()


def test_a_name_that_no_one_has_is_proved_in_one_packet_each_way() -> None:
    with settled("alice", "bob") as world:
        alice, tap = client_of(world, "alice"), Wiretap(world)
        since = now_in(tap)
        with pytest.raises(NodeRefused, match="no one has this name, as its public directory shows") as refused:
            alice.look_up("nobody")
        assert refused.value.code is Code.NO_SUCH_USER
        assert cost(tap, since) == (1, 1, [m.Absent])
        world.check()


@pytest.mark.parametrize(("nym_clients", "up"), [((), 1), (("alice",), 2)])
def test_before_a_login_a_first_lookup_over_a_nym_client_is_two_packets_each_way(
    nym_clients: tuple[str, ...], up: int
) -> None:
    """The node's mixnet client withholds two SURBs, and has no others of this sender. Of a request with a tag of its
    own it withholds none."""
    with settled("bob", nym_clients=nym_clients) as world:
        alice = world.client("alice", online=False)
        tap = Wiretap(world)
        since = now_in(tap)
        assert alice.look_up("bob").directory is InDirectory.SHOWN
        assert cost(tap, since) == (up, 2, [m.Proved])
        world.check()


def test_a_name_that_is_younger_than_the_epoch_is_shown_at_the_next_lookup() -> None:
    with settled("alice") as world:
        alice, bob = client_of(world, "alice"), world.client("bob")
        contact = alice.look_up("bob")
        assert (contact.directory, contact.identity_key) == (InDirectory.NOT_SHOWN, bob.user.key.public)
        world.settle(EPOCH_S + 1)
        assert alice.look_up("bob").directory is InDirectory.SHOWN
        world.check()


def test_a_node_without_an_epoch_says_without_proof_that_no_one_has_a_name() -> None:
    with World() as world:
        alice = world.client("alice")
        with pytest.raises(NodeRefused, match=r"no one has this name$"):
            alice.look_up("nobody")
        world.check()


def test_a_strangers_first_text_makes_a_contact_that_the_directory_has() -> None:
    with settled("alice", "bob") as world:
        alice, bob = client_of(world, "alice"), client_of(world, "bob")
        alice.send_and_wait("bob", "hello")
        assert bob.contact("alice").directory is InDirectory.SHOWN
        world.check()


def test_a_changed_identity_is_shown_by_its_own_proof_and_not_by_the_former_ones() -> None:
    with settled("alice", "bob") as world:
        alice, bob = client_of(world, "alice"), client_of(world, "bob")
        alice.look_up("bob")
        first = alice.contact("bob")
        stub, thief = decode_record(first.record).stub(), SigningKey.from_seed(b"t" * 32)
        answer, _ = RecordPublisher(world).publish("bob", stub, thief, bob.user.key)
        assert isinstance(answer, m.Published)
        changed = alice.look_up("bob")
        assert (changed.trust, changed.directory) == (Trust.CHANGED, InDirectory.NOT_SHOWN)
        world.settle(EPOCH_S + 1)
        carol = world.client("carol")
        tap = Wiretap(world)
        since = now_in(tap)
        assert alice.look_up("bob").directory is InDirectory.SHOWN
        assert cost(tap, since) == (1, 2, [m.Proved])
        assert carol.look_up("bob").directory is InDirectory.SHOWN, "a record that is a succession's own"


def test_a_deleted_name_is_shown_to_be_no_ones_and_a_returned_one_its_owners() -> None:
    with settled("alice", "bob") as world:
        alice, bob = client_of(world, "alice"), client_of(world, "bob")
        bob.do(bob.graph.registration, msg.DeleteAccount)
        with pytest.raises(NodeRefused, match=r"no one has this name$"):
            alice.look_up("bob")
        world.settle(EPOCH_S + 1)
        with pytest.raises(NodeRefused, match="as its public directory shows"):
            alice.look_up("bob")
        world.settle(EPOCH_S + 1)
        bob.register()
        world.settle(EPOCH_S + 1)
        assert alice.look_up("bob").directory is InDirectory.SHOWN


def test_a_node_whose_log_is_refused_answers_without_proof() -> None:
    with settled("alice", "bob") as world:
        alice = client_of(world, "alice")
        world.node.store.log.hold_back()
        world.node.restart()
        world.settle(2 * EPOCH_S)
        assert alice.look_up("bob").directory is InDirectory.NOT_SHOWN
        with pytest.raises(NodeRefused, match=r"no one has this name$"):
            alice.look_up("nobody")


def test_each_worker_proves_what_the_first_one_has_put_into_the_log() -> None:
    with settled("alice", "bob", seed=1, workers=3) as world:
        for number in range(6):
            asker = world.client(f"asker_{number}")
            assert asker.look_up("bob").directory is InDirectory.SHOWN
        proved = [worker.counters()["lookup"].get("lookups_proved", 0) for worker in world.workers]
        assert sum(proved) == 6
        assert sum(count > 0 for count in proved) > 1, "several of them were asked"
        world.check()


def test_a_node_sends_no_more_packets_than_it_was_given_surbs_for() -> None:
    with settled("bob") as world:
        mallory = RawClient(world)
        for surbs, kind in ((1, m.Found), (2, m.Proved)):
            request = m.Lookup(mallory.new_id(), surbs, "bob", 1)
            mallory.throw(mallory.encode(request), 6)
            world.settle()
            assert isinstance(mallory.received()[-1], kind)
        absent = m.Lookup(mallory.new_id(), 1, "nobody", 1)
        assert isinstance(mallory.exchange(mallory.encode(absent), absent.request_id), m.Refused)


# -- a node that lies --


def lying(world: World, monkeypatch: pytest.MonkeyPatch, lie: Callable[[Any], Any]) -> None:
    """Let the node change each of its answers with proof before it signs them."""
    honest = LookupNode._shown

    def proved(self: LookupNode, request: Any, account: Any) -> Any:
        answer = honest(self, request, account)
        return answer if answer is None else lie(answer)

    monkeypatch.setattr(LookupNode, "_shown", proved)


def refused_with_proof_invalid(alice: SimClient, name: str) -> None:
    with pytest.raises(NodeRefused) as refused:
        alice.look_up(name)
    assert refused.value.code is Code.PROOF_INVALID
    assert alice.store.contacts.get(name) is None


def test_a_false_key_with_anothers_proof_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with settled("alice", "bob") as world:
        false = RawClient(world, "bob").record
        lying(world, monkeypatch, lambda answer: msgspec.structs.replace(answer, record=false))
        refused_with_proof_invalid(client_of(world, "alice"), "bob")


def test_an_absence_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with settled("alice", "bob") as world:
        mallory = RawClient(world)
        request = m.Lookup(mallory.new_id(), 2, "nobody", 1)
        mallory.throw(mallory.encode(request), 6)
        world.settle()
        (absence,) = mallory.received(m.Absent)

        def lie(answer: Any) -> Any:
            return msgspec.structs.replace(absence, request_id=answer.request_id, name=answer.name)

        lying(world, monkeypatch, lie)
        refused_with_proof_invalid(client_of(world, "alice"), "bob")


@pytest.mark.parametrize("name", ["bob", "carol"])
def test_a_proof_of_an_older_epoch_than_was_shown_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Else a key could stand in one epoch only, and be shown for good; or a name be hidden that is there since."""
    with settled("alice", "bob") as world:
        mallory = RawClient(world)
        mallory.throw(mallory.encode(m.Lookup(mallory.new_id(), 2, name, 1)), 6)
        world.settle()
        (of_then,) = (*mallory.received(m.Proved), *mallory.received(m.Absent))
        world.client("carol")
        world.settle(2 * EPOCH_S)
        lying(world, monkeypatch, lambda answer: msgspec.structs.replace(of_then, request_id=answer.request_id))
        alice = client_of(world, "alice")
        refused_with_proof_invalid(alice, name)
        assert not alice.store.evidence.all(), "it was true"


def test_a_false_key_without_proof_is_shown_as_not_in_the_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """So far a node gets that shows one user a key which is in no log: the user sees the words."""
    with settled("alice", "bob") as world:
        alice, false = client_of(world, "alice"), RawClient(world, "bob").record
        lying(world, monkeypatch, lambda answer: m.Found(answer.request_id, false))
        contact = alice.look_up("bob")
        assert (contact.identity_key, contact.directory) == (false.identity_key, InDirectory.NOT_SHOWN)


def test_a_proof_that_was_not_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with settled("alice", "bob") as world:
        alice = client_of(world, "alice")
        alice.look_up("bob")
        honest = LookupNode._shown

        def unasked(self: LookupNode, request: Any, account: Any) -> Any:
            return honest(self, msgspec.structs.replace(request, prove=1), account)

        monkeypatch.setattr(LookupNode, "_shown", unasked)
        with pytest.raises(NodeRefused) as refused:
            alice.look_up("bob")
        assert refused.value.code is Code.UNEXPECTED
