"""A node's log that is read from the node: what comes into the folder, what is read again, and a node that lies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import pytest

from tests.actors.directory.test_witnesses import grow
from tests.helpers import directory_by_the_page as page
from usernym.actors.failures import NodeRefused, NodeSilent
from usernym.actors.graphs import finder_graph
from usernym.directory_audit import audit_log
from usernym.directory_copy import LogCopy, fork_of
from usernym.finder import Finder
from usernym.mixnet.emulator.state import Faults
from usernym.protocol import messages as m
from usernym.protocol.cards import make_card
from usernym.protocol.codec import decode
from usernym.protocol.directory.checkpoints import LogHead, read_checkpoint
from usernym.protocol.directory.epochs import ENTRY_BYTES
from usernym.protocol.directory.faults import DirectoryInvalid, LogForked
from usernym.protocol.directory.witnesses import cosign, signers_of
from usernym.protocol.limits import SURBS_GIVEN_MAX
from usernym.protocol.signing import SigningKey
from usernym.storage.node.epochs import EpochSigner
from usernym.testing.between import BetweenTransport
from usernym.testing.process import NodeProcess, ProcessRuntime
from usernym.testing.world import World

T = TypeVar("T")

WITNESS: Final = SigningKey.from_seed(b"w" * 32)


class SimFinder(Finder):
    """A finder in a simulated world: its questions let the world continue until they are answered."""

    def __init__(self, world: World, *, own_tags: bool) -> None:
        super().__init__(world.node.card.node)
        self.world = world
        self.transport = world.mixnet.transport(fresh_tags=own_tags)
        key = SigningKey.from_seed(b"f" * 32)
        self._graph = finder_graph(
            ProcessRuntime(world.sim), self.transport, world.node.card, key, on_failed=world.on_failed
        )

    def _ask(self, question: Callable[[Future[T]], None], timeout: float) -> T:
        answer: Future[T] = Future()
        question(answer)
        self.world.sim.run_until(answer.done, timeout)
        return answer.result()

    def sent(self) -> int:
        """Packets of messages that it sent so far."""
        return self.world.mixnet.counts(self.transport.client).sent()


class Reader:
    """Copies the log of a world's node into a folder."""

    def __init__(self, world: World, folder: Path, *, own_tags: bool = True) -> None:
        self.finder = SimFinder(world, own_tags=own_tags)
        self.folder = folder
        self.progress: list[tuple[int, int]] = []

    def read(self, *witnesses: bytes) -> int:
        """How many packets it took."""
        before = self.finder.sent()
        LogCopy(self.finder, 200.0, lambda *read: self.progress.append(read)).bring_up(self.folder, witnesses)
        return self.finder.sent() - before


class Liar(BetweenTransport):
    """A node's transport that alters what the node says of its log."""

    alter: Callable[[Any], m.Message] = staticmethod(lambda message: message)

    def __init__(self, transport: Any, node: NodeProcess) -> None:
        super().__init__(transport, node)
        self.told: list[m.LogPart] = []

    def reply(self, tag: bytes, data: bytes) -> None:
        """Say it, or something else."""
        message = decode(data).message
        if isinstance(message, m.LogPart):
            self.told.append(message)
        self._transport.reply(tag, self.sign(self.alter(message)))


def head_of(world: World) -> LogHead:
    """The newest head of the node."""
    note = world.node.store.log.give_out(world.node.mark)
    assert note is not None
    return read_checkpoint(note)


def parts(change: Callable[[m.LogPart], m.LogPart]) -> Callable[[m.Message], m.Message]:
    """What alters parts of the log, and nothing else."""
    return lambda message: change(message) if isinstance(message, m.LogPart) else message


def test_a_copy_is_what_an_export_would_be_and_the_next_reads_only_what_is_new(tmp_path: Path) -> None:
    world = World(1)
    grow(world.node, 30)
    reader = Reader(world, tmp_path / "log")
    first = reader.read()
    page.check_folder(reader.folder)
    assert audit_log(reader.folder, None).head == head_of(world)
    epoch_bytes = sum(len(each.entry) + 4 + len(each.changes) for each in world.node.store.log.epochs(30)) / 30
    assert first == 1 + -(-30 * epoch_bytes // 1500), "one for the head, and one for each part"
    assert reader.progress[-1] == (30, 30)
    known = (reader.folder / "checkpoint").read_bytes()
    assert reader.read() == 1
    grow(world.node, 2)
    assert reader.read() == 2
    assert reader.progress[-1] == (32, 32)
    audited = audit_log(reader.folder, known)
    assert (audited.known_before, [each.number for each in audited.epochs]) == (30, [30, 31])
    page.check_folder(reader.folder)


@pytest.mark.seconds
@pytest.mark.parametrize("own_tags", [True, False])
def test_a_long_log_is_read_without_ever_waiting_for_reply_blocks(tmp_path: Path, own_tags: bool) -> None:
    """More parts than a client lets a node hold SURBs."""
    world = World(2)
    grow(world.node, 20)
    events = [{bytes((number, low)) * 16: [bytes(32)] * 10 for low in range(100)} for number in range(9)]
    log, signer = world.node.store.log, EpochSigner.of(world.node.key)
    for each in events:
        world.node.store.commit(lambda each=each: log.append(signer, each, world.node.runtime.unix_s()))  # type: ignore[misc] # a default binds
    reader = Reader(world, tmp_path / "log", own_tags=own_tags)
    before = world.sim.now()
    packets = reader.read()
    assert packets > 2 * SURBS_GIVEN_MAX
    assert world.sim.now() - before < packets
    page.check_folder(reader.folder)


def test_lost_packets_are_asked_for_again(tmp_path: Path) -> None:
    world = World(3)
    grow(world.node, 60)
    world.mixnet.faults = Faults(silent_loss=0.3)
    reader = Reader(world, tmp_path / "log")
    assert reader.read() > 9
    assert audit_log(reader.folder, None).head == head_of(world)


@pytest.mark.parametrize("copied", [0, 5])
def test_a_reading_that_was_interrupted_continues(tmp_path: Path, copied: int) -> None:
    """Also behind an entry that was half written."""
    world = World(12, node_transport=Liar)
    reader = Reader(world, tmp_path / "log")
    grow(world.node, copied)
    if copied:
        reader.read()
    grow(world.node, 60)
    liar: Any = world.node.graph.transport
    liar.told = []
    liar.alter = parts(lambda part: part if len(liar.told) < 7 else msgspec.structs.replace(part, data=b""))
    with pytest.raises(DirectoryInvalid, match="does not give"):
        reader.read()
    read_before = reader.progress[-1][0]
    assert read_before > copied + 30
    (half_read,) = reader.folder.glob(".entries-*.new")
    with half_read.open("ab") as file:
        file.write(bytes(ENTRY_BYTES // 2))
    liar.alter, liar.told = parts(lambda part: part), []
    grow(world.node, 2)
    reader.read()
    assert len(liar.told) < 7
    assert audit_log(reader.folder, None).head == head_of(world)
    page.check_folder(reader.folder)
    assert not list(reader.folder.glob(".*"))


def test_a_node_that_was_away_is_asked_again_for_its_head(tmp_path: Path) -> None:
    """With the one reply block that it is trusted with at first it can't show it."""
    world = World(13)
    grow(world.node, 3)
    reader = Reader(world, tmp_path / "log")
    world.silence(*world.node.card.addresses)
    for _ in range(2):
        with pytest.raises(NodeSilent):
            reader.read()
    world.silence()
    reader.read()
    assert world.node.counters()["lookup"]["refused_no_such_user"] == 1, "it could not show it"
    page.check_folder(reader.folder)


def test_a_log_that_grows_meanwhile_is_read_up_to_the_head_that_was_shown(tmp_path: Path) -> None:
    world = World(4)
    grow(world.node, 30)
    head = head_of(world)
    reader = Reader(world, tmp_path / "log")
    copy = LogCopy(reader.finder, 60.0, lambda _read, _of: grow(world.node))
    copy.bring_up(reader.folder, ())
    assert audit_log(reader.folder, None).head == head
    assert world.node.store.log.size() > 30


def test_signatures_of_named_witnesses_come_with_the_head(tmp_path: Path) -> None:
    world = World(5)
    grow(world.node, 3)
    head = head_of(world)
    world.node.store.witnesses.add(make_card(WITNESS, [bytes(96)], 1, 1))
    reader, other = Reader(world, tmp_path / "log"), SigningKey.from_seed(b"o" * 32).public
    reader.read(WITNESS.public)

    def signers() -> frozenset[bytes]:
        return signers_of((reader.folder / "checkpoint").read_bytes(), head)

    assert signers() == set()
    world.node.store.witnesses.note_cosignature(WITNESS.public, 3, cosign(WITNESS, head, 1_800_000_000))
    reader.read(other)
    assert signers() == set(), "no one knows whose they are"
    reader.read(WITNESS.public, other)
    assert signers() == {WITNESS.public}
    signed = (reader.folder / "checkpoint").read_bytes()
    reader.read()
    reader.read(WITNESS.public)
    assert (reader.folder / "checkpoint").read_bytes() == signed, "each once, and none is lost"
    page.check_folder(reader.folder)


# -- forks and lies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [2, 4, 9])
def test_a_fork_leaves_the_copy_as_it_is_and_both_heads_are_kept(tmp_path: Path, epochs: int) -> None:
    """The node's other history is shorter, as long, and longer. What was found once is found also when the node shows
    the first one again."""
    world, twin = World(6), World(6)
    grow(world.node, 4)
    log, signer = twin.node.store.log, EpochSigner.of(twin.node.key)
    twin.node.store.commit(lambda: log.append(signer, {b"m" * 32: [bytes(32)]}, twin.node.runtime.unix_s()))
    grow(twin.node, epochs - 1)
    folder = tmp_path / "log"
    Reader(world, folder).read()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for shown in (twin, world):
        with pytest.raises(LogForked) as caught:
            Reader(shown, folder).read()
        assert caught.value.first == before[folder / "checkpoint"]
        assert caught.value.second == (fork_of(folder) / "checkpoint").read_bytes()
        assert read_checkpoint(caught.value.second) == head_of(twin)
    assert {path: path.read_bytes() for path in before} == before
    if epochs > 4:
        page.check_folder(fork_of(folder))


def test_another_nodes_log_or_an_older_one_changes_nothing(tmp_path: Path) -> None:
    world, older, other = World(7), World(7), World(8)
    for each, size in (world, 3), (older, 2), (other, 4):
        grow(each.node, size)
    folder = tmp_path / "log"
    Reader(world, folder).read()
    for each, text in (older, "shows 2 epochs, and had 3"), (other, "another node"):
        with pytest.raises(DirectoryInvalid, match=text):
            Reader(each, folder).read()
    assert audit_log(folder, None).head == head_of(world)
    assert not fork_of(folder).exists()


def test_a_node_without_a_log_has_none_to_read(tmp_path: Path) -> None:
    world = World(9)
    with pytest.raises(DirectoryInvalid, match="no epoch yet"):
        Reader(world, tmp_path / "log").read()
    grow(world.node)
    world.node.store.log.hold_back()
    with pytest.raises(DirectoryInvalid, match="refused"):
        Reader(world, tmp_path / "log").read()
    assert not (tmp_path / "log").exists()


NONSENSE: Final[dict[str, tuple[Callable[[m.LogPart], m.LogPart], str]]] = {
    "nothing": (lambda part: msgspec.structs.replace(part, data=b""), "does not give epoch"),
    "half": (lambda part: msgspec.structs.replace(part, data=part.data if len(part.data) == 1500 else b""), "epoch 1"),
    "zeros": (lambda part: msgspec.structs.replace(part, data=bytes(1500)), "not an epoch's"),
    "endless": (lambda part: msgspec.structs.replace(part, data=b"\xff" * 1500), "more changes"),
    "again": (lambda part: msgspec.structs.replace(part, data=part.data[: ENTRY_BYTES + 73] * 2), "another one's"),
    "changed": (
        lambda part: msgspec.structs.replace(part, data=part.data[: ENTRY_BYTES - 1] + b"\0" + part.data[ENTRY_BYTES:]),
        "not those of its signed head",
    ),
}


@pytest.mark.parametrize("lie", NONSENSE)
@pytest.mark.parametrize("copied", [0, 2])
def test_what_is_not_the_log_of_the_head_ends_the_reading(tmp_path: Path, lie: str, copied: int) -> None:
    world = World(10, node_transport=Liar)
    reader = Reader(world, tmp_path / "log")
    grow(world.node, copied)
    before = None
    if copied:
        reader.read()
        before = (reader.folder / "checkpoint").read_bytes()
    grow(world.node, 15)
    liar: Any = world.node.graph.transport
    alter, text = NONSENSE[lie]
    liar.alter = parts(alter)
    with pytest.raises(DirectoryInvalid, match=text) as caught:
        reader.read()
    assert not isinstance(caught.value, LogForked)
    assert len(liar.told) < 30
    if copied:
        assert (reader.folder / "checkpoint").read_bytes() == before
        assert audit_log(reader.folder, None).head.size == copied
    else:
        assert not (reader.folder / "checkpoint").exists()
    liar.alter = parts(lambda part: part)
    reader.read()
    assert audit_log(reader.folder, before).head == head_of(world)
    assert not (fork_of(reader.folder) / "checkpoint").exists()


def test_a_log_that_is_given_wrong_first_and_then_right_is_no_fork(tmp_path: Path) -> None:
    world = World(14, node_transport=Liar)
    grow(world.node, 2)
    reader = Reader(world, tmp_path / "log")
    reader.read()
    grow(world.node, 5)
    liar: Any = world.node.graph.transport
    liar.told = []
    alter, text = NONSENSE["changed"]
    liar.alter = parts(lambda part: alter(part) if len(liar.told) <= 1 else part)
    with pytest.raises(DirectoryInvalid, match=text) as caught:
        reader.read()
    assert len(liar.told) > 1
    assert not isinstance(caught.value, LogForked)
    assert not (fork_of(reader.folder) / "checkpoint").exists()
    reader.read()
    assert audit_log(reader.folder, None).head == head_of(world)


def test_a_head_that_the_node_has_not_signed_is_refused(tmp_path: Path) -> None:
    world = World(11, node_transport=Liar)
    grow(world.node, 3)

    def alter(message: m.Message) -> m.Message:
        if not isinstance(message, m.Absent):
            return message
        return msgspec.structs.replace(message, proof=msgspec.structs.replace(message.proof, size=9))

    liar: Any = world.node.graph.transport
    liar.alter = alter
    with pytest.raises(NodeRefused):
        Reader(world, tmp_path / "log").read()
