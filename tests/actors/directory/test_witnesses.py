"""Nodes that sign each other's heads, in simulated worlds: each new head is signed, and no two histories ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from usernym.actors.messages import AskNode
from usernym.mixnet.emulator.state import Faults
from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.protocol.directory.checkpoints import LogHead, SignedHead, read_checkpoint
from usernym.protocol.directory.complaints import Fork
from usernym.protocol.directory.witnesses import is_cosigned
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import EPOCH_S, HOUR_S
from usernym.protocol.wire import decoder_of, unpack
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.store import NodeStore
from usernym.testing.forger import ForgedLog
from usernym.testing.process import KeptMark
from usernym.testing.tap import Heard
from usernym.testing.world import SimNode, World


def witnessed(world: World, *names: str) -> list[SimNode]:
    """More nodes, each of which exchanges signatures with the world's node."""
    others = [world.add_node(name) for name in names]
    for other in others:
        world.node.store.witnesses.add(other.card)
        other.store.witnesses.add(world.node.card)
    return others


def newest_head(node: SimNode) -> LogHead:
    note = node.mark.read()
    assert note is not None
    return read_checkpoint(note)


def signers(node: SimNode) -> set[bytes]:
    """Whose signatures to its newest head the node has, each of them verified."""
    head = newest_head(node)
    there = node.store.witnesses.cosignatures(head.size)
    assert all(is_cosigned(witness, head, cosignature) for witness, cosignature in there)
    return {witness for witness, _ in there}


def counts(node: SimNode) -> dict[str, int]:
    counters = node.counters()
    return {**counters["directory"], **counters["witness"], **counters["io"]}


class SignedHeads:
    """All heads that witnesses have signed in a world, as they left: by witness, the size and root of each."""

    def __init__(self, world: World) -> None:
        self._asked: dict[bytes, SignedHead] = {}
        self.heads: dict[str, list[SignedHead]] = {}
        world.mixnet.listeners.append(self._hear)

    def _hear(self, heard: Heard) -> None:
        if heard.what != "sent":
            return
        try:
            message = decode(heard.data).message
        except RemoteProtocolError:
            return
        if isinstance(message, m.Cosign):
            self._asked[message.request_id] = message.head
        elif isinstance(message, m.Cosigned) and message.cosignature:
            self.heads.setdefault(heard.who, []).append(self._asked[message.request_id])

    def are_of_one_log_of(self, store: NodeStore) -> bool:
        """Whether all of them are heads that this store's log has had."""
        log = store.log
        roots = {number: read_checkpoint(each.checkpoint).root for number, each in enumerate(log.epochs(log.size()), 1)}
        return all(roots[head.size] == head.root for heads in self.heads.values() for head in heads)


def test_each_new_head_is_signed_by_the_others() -> None:
    world = World(1)
    others = witnessed(world, "one", "two", "three")
    for name in ("alice", "bob", "carol"):
        world.client(name)
        world.settle(2 * EPOCH_S)
        assert signers(world.node) == {other.key.public for other in others}
    world.check()


def grow(node: SimNode, epochs: int = 1) -> None:
    """Epochs in which something happened to made-up names."""
    log, signer = node.store.log, EpochSigner.of(node.key)
    for _ in range(epochs):
        label = log.size().to_bytes(32, "little")
        node.store.commit(lambda label=label: log.append(signer, {label: [bytes(32)]}, node.runtime.unix_s()))  # type: ignore[misc] # a default binds


def test_an_epoch_costs_a_packet_each_way_for_each_witness_and_a_minute_without_one_none() -> None:
    world = World(2)
    (other,) = witnessed(world, "one")
    grow(world.node)
    world.settle(2 * EPOCH_S)

    def sent() -> list[int]:
        return [world.mixnet.counts(node.client_number).sent() for node in (world.node, other)]

    first = sent()
    world.settle(20 * EPOCH_S)
    assert sent() == first
    grow(world.node)
    world.settle(2 * EPOCH_S)
    assert sent() == [packets + 1 for packets in first]
    assert signers(world.node) == {other.key.public}


def test_a_witness_that_was_away_signs_the_newest_head_when_it_is_back() -> None:
    world = World(3)
    (other,) = witnessed(world, "one")
    grow(world.node)
    world.settle(2 * EPOCH_S)
    other.kill()
    grow(world.node, 70)
    world.settle(5 * HOUR_S)
    asked = counts(world.node)["nodes_asked"]
    assert 5 < asked < 14, "ever more rarely, an hour apart in the end"
    assert signers(world.node) == set()
    other.start_and_wait()
    world.settle(HOUR_S + EPOCH_S)
    assert signers(world.node) == {other.key.public}


def test_a_node_that_lost_the_answer_or_was_started_anew_is_corrected() -> None:
    world = World(4)
    (other,) = witnessed(world, "one")
    grow(world.node, 3)
    world.settle(2 * EPOCH_S)
    world.node.store.database.run("UPDATE witness SET size = 1, cosignature = NULL")
    world.node.restart()
    grow(world.node, 2)
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == {other.key.public}
    world.node.store.database.run("UPDATE witness SET size = 0, cosignature = NULL")
    world.node.restart()
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == {other.key.public}, "a head that it has signed it signs again"


def test_a_stranger_gets_no_signature() -> None:
    world = World(5)
    (other,) = witnessed(world, "one")
    other.store.witnesses.remove(world.node.key.public)
    grow(world.node)
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == set()
    assert counts(world.node)["cosignatures_refused"] == 1
    other.store.witnesses.add(world.node.card)
    world.settle(HOUR_S + EPOCH_S)
    assert signers(world.node) == {other.key.public}


# -- two histories ----------------------------------------------------------------------------------------------------


def test_a_witness_signs_no_head_of_another_history_and_keeps_the_proof_of_one() -> None:
    world = World(6)
    (other,) = witnessed(world, "one")
    heads = SignedHeads(world)
    grow(world.node, 3)
    world.settle(2 * EPOCH_S)
    forged = ForgedLog(world.node)
    forged.stays = True
    grow(world.node, 2)
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == {other.key.public}
    forge(forged, 2)
    # Of the same length as what the witness has signed: both heads are there, and prove it.
    world.node.store, honest = forged.store, world.node.store
    asks(world, other, forged, 5)
    assert heads.are_of_one_log_of(honest)
    (peer,) = other.store.witnesses.peers()
    assert peer.fork is not None
    assert unpack(decoder_of(Fork), peer.fork).proves(world.node.key.public)
    grow(world.node, 2)
    asks(world, other, forged, 5)
    assert heads.are_of_one_log_of(honest)


def forge(forged: ForgedLog, epochs: int) -> None:
    """So many more epochs of the forged log."""
    for number in range(epochs):
        events = {bytes((number,)) * 32: [bytes(32)]}
        forged.store.commit(lambda events=events: forged.store.log.append(forged.signer, events, 1))  # type: ignore[misc] # a default binds


def asks(world: World, other: SimNode, forged: ForgedLog, known: int) -> None:
    """Let the node ask for a signature to the newest head of a forged log."""
    shown = forged.store.proofs.continuing(forged.signer, forged.mark, known)
    assert shown is not None
    head, hashes = shown
    request = m.Cosign(b"forged..", 0, world.node.key.public, head, known, hashes)
    world.node.graph.io.tell(AskNode(other.card, other.card.addresses[0], request))
    world.settle(EPOCH_S)


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_a_longer_log_of_another_history_is_not_signed(epochs: int) -> None:
    world = World(7)
    (other,) = witnessed(world, "one")
    heads = SignedHeads(world)
    grow(world.node, 3)
    world.settle(2 * EPOCH_S)
    forged = ForgedLog(world.node)
    forged.stays = True
    grow(world.node)
    world.settle(2 * EPOCH_S)
    forge(forged, epochs + 1)
    for known in (0, 3, 4):
        asks(world, other, forged, known)
    assert counts(other)["heads_signed"] == 2
    assert heads.are_of_one_log_of(world.node.store)


def test_a_node_whose_store_was_put_back_learns_it_from_its_witness_and_signs_no_more() -> None:
    world = World(8)
    (other,) = witnessed(world, "one")
    grow(world.node, 2)
    world.settle(2 * EPOCH_S)
    older = ForgedLog(world.node)  # the store as it is now
    grow(world.node, 2)
    world.settle(2 * EPOCH_S)
    world.node.kill()
    older.store.witnesses.add(other.card)
    world.node.store, world.node.mark = older.store, KeptMark()
    world.node.start_and_wait()
    grow(world.node)
    world.settle(3 * EPOCH_S)
    assert counts(world.node)["heads_refused"] == 1
    assert newest_head(world.node).size == 4
    assert counts(other)["heads_signed"] == 2


def test_a_witness_whose_store_was_put_back_signs_nothing() -> None:
    world = World(9)
    (other,) = witnessed(world, "one")
    heads = SignedHeads(world)
    grow(world.node, 2)
    world.settle(2 * EPOCH_S)
    before = other.store.database.rows("SELECT signed FROM witness")
    grow(world.node)
    world.settle(2 * EPOCH_S)
    other.store.database.run("UPDATE witness SET signed = ?", before[0])
    grow(world.node)
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == set()
    assert len(heads.heads["one"]) == 2
    assert counts(other)["heads_not_signed"] >= 1


@pytest.mark.parametrize("seed", range(4))
def test_whenever_node_or_witness_dies_one_history_is_signed_and_in_the_end_all_of_it(seed: int) -> None:
    with World(seed, faults=Faults(loss=0.2), disks=True) as world:
        others = witnessed(world, "one", "two")
        heads = SignedHeads(world)
        for number in range(12):
            grow(world.node, 1 + number % 3)
            world.settle(world.chance.uniform(0.0, 2 * EPOCH_S))
            victim = (world.node, *others)[number % 3]
            victim.kill()
            world.settle(world.chance.uniform(0.0, 2 * EPOCH_S))
            victim.start_and_wait()
        world.settle(3 * HOUR_S)
        assert signers(world.node) == {other.key.public for other in others}
        assert heads.are_of_one_log_of(world.node.store)
        assert sum(map(len, heads.heads.values())) > 10
        world.check()


# -- a witness that checks --------------------------------------------------------------------------------------------


def checked(world: World, name: str = "one") -> SimNode:
    """A witness that reads and checks the log of the world's node before it signs."""
    other = world.add_node(name)
    world.node.store.witnesses.add(other.card)
    other.store.witnesses.add(world.node.card, checks=True)
    return other


def epoch_of(node: SimNode, events: dict[bytes, list[bytes]]) -> None:
    log = node.store.log
    node.store.commit(lambda: log.append(EpochSigner.of(node.key), events, node.runtime.unix_s()))


def test_a_log_that_is_as_it_must_be_is_checked_and_signed_for_two_packets_an_epoch() -> None:
    world = World(10)
    other = checked(world)
    alice = world.client("alice")
    grow(world.node, 30)
    epoch_of(world.node, {bytes((7, number)) * 16: [bytes(32)] * (1 + number) for number in range(40)})
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == {other.key.public}
    assert counts(other)["epochs_checked"] == world.node.store.log.size()
    alice.kill()
    world.settle(2 * EPOCH_S)
    before = [world.mixnet.counts(node.client_number).sent() for node in (world.node, other)]
    grow(world.node)
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == {other.key.public}
    after = [world.mixnet.counts(node.client_number).sent() for node in (world.node, other)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 2]
    world.check()


@pytest.mark.seconds
@pytest.mark.parametrize("seed", range(3))
def test_a_check_continues_where_it_was_when_either_side_dies_or_packets_are_lost(seed: int) -> None:
    with World(seed, faults=Faults(loss=0.2), disks=True) as world:
        other = checked(world)
        heads = SignedHeads(world)
        grow(world.node, 200)
        for number in range(6):
            world.settle(world.chance.uniform(0.0, EPOCH_S + 20))
            victim = (other, world.node)[number % 2]
            victim.kill()
            victim.start_and_wait()
        world.settle(4 * HOUR_S)
        assert signers(world.node) == {other.key.public}
        assert heads.are_of_one_log_of(world.node.store)
        assert "logs_not_continued" not in counts(other)
        world.check()


def damaged_chain(store: NodeStore) -> None:
    """The node replaces a chain by another one of the same length: each entry is right for the map that it gives."""
    store.database.run("UPDATE directory_leaf SET head = zeroblob(32) WHERE label = ?", (bytes(32),))


def taken_back(store: NodeStore) -> None:
    """A name is put out of the map."""
    store.database.run("DELETE FROM directory_leaf WHERE label = ?", (bytes(32),))
    store.database.run("UPDATE directory_log SET names = names - 1")


@pytest.mark.parametrize("harm", [damaged_chain, taken_back])
def test_a_chain_that_is_changed_otherwise_than_at_its_end_is_not_signed(harm: Callable[[NodeStore], None]) -> None:
    world = World(11)
    other, trusting = checked(world), world.add_node("trusting")
    world.node.store.witnesses.add(trusting.card)
    trusting.store.witnesses.add(world.node.card)
    grow(world.node, 3)
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == {other.key.public, trusting.key.public}
    harm(world.node.store)
    # A change in its bucket has the new map's hashes computed from what is stored.
    epoch_of(world.node, {bytes(31) + b"\x01": [bytes(32)]})
    world.settle(2 * EPOCH_S)
    assert signers(world.node) == {trusting.key.public}, "who only signs does not see it"
    assert counts(other)["logs_not_continued"] >= 1
    (peer,) = other.store.witnesses.peers()
    assert peer.log is not None
    assert peer.log.size == 3


@pytest.mark.parametrize("harm", ["restored", "rolled back", "damaged"])
def test_a_witness_that_signs_nothing_any_more_costs_its_own_log_nothing(harm: str) -> None:
    world = World(12)
    (other,) = witnessed(world, "one")
    grow(world.node)
    world.settle(2 * EPOCH_S)
    if harm == "restored":
        other.store.witnesses.hold_back()
    elif harm == "rolled back":
        other.store.database.run("UPDATE witness SET signed = NULL")
    else:
        other.witness_mark.write(b"damaged")
    grow(world.node)
    world.client("alice", node=other)
    world.settle(3 * EPOCH_S)
    assert signers(world.node) == set()
    assert other.store.log.size() == 1
    assert counts(other)["heads_refused"] == 0
    assert other.running
    world.check()
