"""Nodes with which this one exchanges signatures to the heads of their logs: what it has signed of theirs, and they of
its own.

A node signs a head of another one's log only if that continues all that it has signed of it; and what it has signed is
on its disk before the signature leaves. A second file, the mark, has the newest heads, too: a store that was put back
to an older state signs nothing. docs/directory.md, "Witnesses"; docs/models/Witness.tla, OneHistory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from usernym.protocol.cards import NodeCard, decode_card
from usernym.protocol.directory.checkpoints import SignedHead
from usernym.protocol.directory.complaints import Fork
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.shown import KnownLog, continued
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import WITNESSES_MAX
from usernym.protocol.wire import Key, Wire, decoder_of, pack, unpack
from usernym.storage.engine import Engine
from usernym.storage.errors import LogRolledBack, RowLimitReached, StoreCorrupt
from usernym.storage.node.checked_logs import LogCheck, checked_log
from usernym.storage.node.head_mark import HeadMark
from usernym.storage.node.schema import DirectoryLogRow, WitnessRow
from usernym.storage.tables import Table

WITNESS_MARK_NAME: Final = "witness.mark"
PEERS_MAX: Final = 16
"""Nodes with which one exchanges signatures: as many have room in an exported checkpoint."""
LOGS_MAX: Final = 64
"""Logs that a node has signed heads of, also of nodes with which the exchange has ended."""


class SignedLog(Wire, frozen=True):
    """The newest head of a log that a witness has signed."""

    node: Key
    head: SignedHead


class SignedLogs(Wire, frozen=True):
    """What the mark has."""

    logs: tuple[SignedLog, ...]


@dataclass(frozen=True, slots=True)
class WitnessPeer:
    """A node with which this one exchanges signatures."""

    node: bytes
    card: bytes = field(repr=False)
    signed: bytes | None = field(repr=False)
    """What this node has signed of its log."""
    fork: bytes | None = field(repr=False)
    """Proof that it has signed two histories."""
    size: int
    """Of the newest head of this node's log that it has signed; 0 for none."""
    cosignature: bytes | None = field(repr=False)
    number: int
    checks: int
    """1: what changes in its log is read and checked before a head is signed."""
    checked: bytes | None = field(repr=False)

    @property
    def node_card(self) -> NodeCard:
        """Its card, as the operator gave it."""
        return decode_card(self.card)

    @property
    def log(self) -> KnownLog | None:
        """The log as far as this node has signed its heads; None if it has signed none."""
        return None if self.signed is None else unpack(_known_decoder, self.signed)


@dataclass(frozen=True, slots=True)
class WitnessWord:
    """What a witness says of a head: whether it signs heads of that log at all, whether it signs this one, and the
    newest one of that log that it has signed."""

    is_witness: bool
    signs: bool
    newest: SignedHead | None
    to_check: tuple[NodeCard, int] | None = None
    """The epochs from this one on have to be read from that node, and checked, before the head can be signed."""


@dataclass(frozen=True, slots=True)
class _MaySign:
    cosigns: int


_MAY_SIGN: Final = Table(DirectoryLogRow, _MaySign)
_known_decoder: Final = decoder_of(KnownLog)
_mark_decoder: Final = decoder_of(SignedLogs)
_PEERS: Final = Table(WitnessRow, WitnessPeer)
_ACTIVE: Final = _PEERS.select("WHERE active = 1 ORDER BY number")
_SIGNED: Final = _PEERS.select("WHERE signed IS NOT NULL ORDER BY node")
_OF: Final = _PEERS.select("WHERE node = ? AND active = 1")
_NO_WITNESS: Final = WitnessWord(False, False, None)


class Witnesses:
    """The nodes with which this one exchanges signatures."""

    def __init__(self, database: Engine) -> None:
        self._db = database
        self._marking = Lock()
        """The mark never goes back: one thread reads what is newest and writes it there."""

    def peers(self) -> Sequence[WitnessPeer]:
        """Those with which it does now, in the order in which they came."""
        return _PEERS.all(self._db, _ACTIVE)

    def add(self, card: NodeCard, *, checks: bool = False) -> None:
        """Exchange signatures with the node of this card from now on, or know its newer card; with `checks` sign only
        heads of a log that was read and checked.

        Raises `RowLimitReached` for one too many.
        """

        def put() -> None:
            there = self._db.value(int, "SELECT active FROM witness WHERE node = ?", (card.node,))
            active = self._db.value(int, "SELECT count(*) FROM witness WHERE active = 1") or 0
            known = self._db.value(int, "SELECT count(*) FROM witness") or 0
            if (there != 1 and active >= PEERS_MAX) or (there is None and known >= LOGS_MAX):
                raise RowLimitReached(f"a node exchanges signatures with {PEERS_MAX} others at most")
            self._db.run(
                "INSERT INTO witness (node, card, active, size, checks) VALUES (?, ?, 1, 0, ?)"
                " ON CONFLICT (node) DO UPDATE SET card = excluded.card, active = 1, checks = excluded.checks",
                (card.node, pack(card), int(checks)),
            )

        self._db.commit(put)

    def remove(self, node: bytes) -> bool:
        """Exchange none with this node from now on; False if it did not. What was signed of its log stays known."""
        return self._db.run("UPDATE witness SET active = 0 WHERE node = ? AND active = 1", (node,)) == 1

    # -- others' logs --

    def take(self, mark: HeadMark, log: bytes, head: SignedHead, known: int, hashes: Sequence[bytes]) -> WitnessWord:
        """Take the head of another node's log: what this node says of it. If it signs it, that is on the disk, in the
        store and in the mark.

        `hashes` show how the head's log continues that of `known` entries. Raises `DirectoryInvalid` if they do not,
        and `LogRolledBack` if this node may have signed more than its store knows.
        """

        def judge() -> WitnessWord:
            self._check(mark)
            peer = _PEERS.first(self._db, _OF + self._db.locked, (log,))
            if peer is None or peer.fork is not None:
                return _NO_WITNESS
            before = peer.log
            newest = None if before is None else before.head
            if newest is not None and newest.size == head.size and head.is_signed(log):
                if newest.root == head.root:
                    return WitnessWord(True, True, newest)
                self._db.run("UPDATE witness SET fork = ? WHERE node = ?", (pack(Fork(newest, head, b"")), log))
                return _NO_WITNESS
            if known != (0 if newest is None else newest.size) or head.size <= known:
                return WitnessWord(True, False, newest)
            after = continued(log, before, head.size, head.signature, hashes)
            if after.head != head:
                raise DirectoryInvalid("the hashes lead to another head")
            if peer.checks:
                checked = checked_log(peer.checked)
                if checked.size < head.size:
                    return WitnessWord(True, False, newest, (peer.node_card, checked.size))
                if (checked.size, checked.root) != (head.size, head.root):
                    raise DirectoryInvalid("the head is not that of the log that was checked")
            self._db.run("UPDATE witness SET signed = ? WHERE node = ?", (pack(after), log))
            return WitnessWord(True, True, head)

        if self._db.row("SELECT 1 FROM witness WHERE node = ? AND active = 1", (log,)) is None:
            return _NO_WITNESS  # strangers cost no transaction
        word = self._db.commit(judge)
        if word.signs:
            self.follow(mark)
        return word

    def check(self, log: bytes, start: int, epochs: Sequence[tuple[bytes, bytes]]) -> int:
        """Check epochs of another node's log, from the one with the number `start` on, each as its entry and its
        changes: how many are checked now. Raises `DirectoryInvalid` for one that can't follow on those before: then
        nothing is changed."""

        def carry_out() -> int:
            peer = _PEERS.first(self._db, _OF + self._db.locked, (log,))
            if peer is None:
                raise DirectoryInvalid("this log is not checked any more")
            check = LogCheck(self._db, peer.number, log, checked_log(peer.checked))
            if check.checked.size == start:  # else it was done, by another worker or by this one
                for entry, changes in epochs:
                    check.take(entry, changes)
                self._db.run("UPDATE witness SET checked = ? WHERE node = ?", (pack(check.checked), log))
            return check.checked.size

        return self._db.commit(carry_out)

    def follow(self, mark: HeadMark) -> None:
        """Let the mark have what the store has: with several workers, also what another one has signed. Raises
        `LogRolledBack`."""
        if not self._db.rows("SELECT 1 FROM witness WHERE signed IS NOT NULL LIMIT 1"):
            return  # most nodes sign for no other
        with self._marking:
            with self._db.one_moment():
                self._check(mark)
                logs = [(peer.node, peer.log) for peer in _PEERS.all(self._db, _SIGNED)]
            newest = pack(SignedLogs(tuple(SignedLog(node, log.head) for node, log in logs if log is not None)))
            if newest != mark.read():
                mark.write(newest)

    def hold_back(self) -> None:
        """Note that the store came from a backup: what the node has signed of others' logs since is not in it, and
        nothing can bring it back. It signs none of them any more."""
        self._db.run("UPDATE directory_log SET cosigns = 0")

    def _check(self, mark: HeadMark) -> None:
        """Raise `LogRolledBack` unless the store has all that this node has signed."""
        state = _MAY_SIGN.first(self._db, _MAY_SIGN.select(""))
        if state is None or state.cosigns != 1:
            raise LogRolledBack(
                "this node's store came from a backup, and does not know which heads of other nodes it has signed"
                " since: it signs none any more, for good (run another node as the witness)"
            )
        note = mark.read()
        if note is None:
            return
        try:
            marked: SignedLogs = unpack(_mark_decoder, note)
        except RemoteProtocolError as error:
            raise StoreCorrupt(f"the mark of the heads that were signed for others is damaged ({error})") from None
        there = {peer.node: peer.log for peer in _PEERS.all(self._db, _SIGNED)}
        for each in marked.logs:
            log = there.get(each.node)
            if log is None or log.size < each.head.size or (log.size == each.head.size and log.head != each.head):
                raise LogRolledBack(
                    "this node has signed heads of other nodes that its store does not know: put the newest store back"
                )

    # -- the own log --

    def note_cosignature(self, node: bytes, size: int, cosignature: bytes) -> None:
        """Keep a peer's signature to the head of this node's log with `size` epochs, unless a newer one is there."""
        self._db.run(
            "UPDATE witness SET size = ?1, cosignature = ?2 WHERE node = ?3 AND size <= ?1", (size, cosignature, node)
        )

    def cosignatures(self, size: int, most: int = WITNESSES_MAX) -> list[tuple[bytes, bytes]]:
        """Who has signed the head of this node's log with `size` epochs, and the signatures."""
        return [
            (node, cosignature)
            for node, cosignature in self._db.rows(
                "SELECT node, cosignature FROM witness WHERE active = 1 AND size = ? AND cosignature IS NOT NULL"
                " ORDER BY number LIMIT ?",
                (size, most),
            )
        ]
