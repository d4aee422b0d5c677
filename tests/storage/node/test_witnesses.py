"""What a node has signed of other nodes' logs, on each engine: one history, whatever happens to the store."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.storage.node.test_epochs import KEY, SIGNER, epoch, register
from usernym.protocol.cards import NodeCard, make_card
from usernym.protocol.directory.checkpoints import LogHead, SignedHead
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import Frontier, spans
from usernym.protocol.directory.witnesses import cosign
from usernym.protocol.signing import SigningKey
from usernym.storage.errors import LogRolledBack, RowLimitReached, StoreCorrupt
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.store import NodeStore
from usernym.storage.node.witnesses import LOGS_MAX, PEERS_MAX, WITNESS_MARK_NAME
from usernym.testing.process import KeptMark

LOG: Final = SigningKey.from_seed(b"another node's" + bytes(18))


def card_of(key: SigningKey, sequence: int = 1) -> NodeCard:
    return make_card(key, [bytes(96)], sequence, 1)


class Tree:
    """A log of made-up entries; `fork` makes those from there on others."""

    def __init__(self, fork: int = 2**32, key: SigningKey = LOG) -> None:
        self._fork = fork
        self.key = key

    def _leaf(self, number: int) -> bytes:
        return (number + (10**6 if number >= self._fork else 0)).to_bytes(32, "big")

    def _root(self, start: int, end: int) -> bytes:
        tree = Frontier()
        for number in range(start, end):
            tree = tree.with_leaf(self._leaf(number))
        return tree.root()

    def head(self, size: int) -> SignedHead:
        root = self._root(0, size)
        return SignedHead(size, root, self.key.sign_text(LogHead(self.key.public, size, root).text()))

    def hashes(self, known: int, size: int) -> list[bytes]:
        roots = [self._root(place << level, place + 1 << level) for level, place in spans(known, size - 1)]
        return [*roots, self._leaf(size - 1)] if size > known else []


TREE: Final = Tree()


def signs(store: NodeStore, mark: KeptMark | FileMark, size: int, known: int, tree: Tree = TREE) -> bool:
    """Whether the store lets the node sign this head."""
    return store.witnesses.take(mark, tree.key.public, tree.head(size), known, tree.hashes(known, size)).signs


def test_each_head_that_continues_the_one_before_is_signed(node: NodeStore) -> None:
    mark, rng, known = KeptMark(), random.Random(3), 0
    node.witnesses.add(card_of(LOG))
    for _ in range(25):
        size = known + rng.choice((1, 1, 2, 7, 30))
        assert signs(node, mark, size, known)
        assert signs(node, mark, size, known), "the same head again, as after a lost answer"
        assert signs(node, mark, size, size)
        known = size
    (peer,) = node.witnesses.peers()
    assert peer.log is not None
    assert peer.log.head == TREE.head(known)


def test_one_who_is_thought_to_know_another_head_says_which_it_knows(node: NodeStore) -> None:
    mark = KeptMark()
    node.witnesses.add(card_of(LOG))
    assert node.witnesses.take(mark, LOG.public, TREE.head(9), 4, TREE.hashes(4, 9)).newest is None
    assert signs(node, mark, 9, 0)
    for known, size in ((0, 12), (8, 12), (10, 12), (0, 7), (7, 8)):
        word = node.witnesses.take(mark, LOG.public, TREE.head(size), known, TREE.hashes(known, size))
        assert (word.is_witness, word.signs, word.newest) == (True, False, TREE.head(9))


@pytest.mark.parametrize("fork", range(1, 9))
def test_no_head_of_a_log_that_forked_before_what_was_signed_is_signed(node: NodeStore, fork: int) -> None:
    mark, other = KeptMark(), Tree(fork)
    node.witnesses.add(card_of(LOG))
    assert signs(node, mark, 9, 0)
    with pytest.raises(DirectoryInvalid):
        signs(node, mark, 12, 9, other)
    mixed = [*other.hashes(9, 12)]
    with pytest.raises(DirectoryInvalid):
        node.witnesses.take(mark, LOG.public, TREE.head(12), 9, mixed)
    assert signs(node, mark, 12, 9), "the log that was signed goes on"
    assert not signs(node, mark, 12, 12, other)
    (peer,) = node.witnesses.peers()
    assert peer.fork is not None
    assert not signs(node, mark, 13, 12), "a node that has shown two histories is not signed any more"


@pytest.mark.parametrize(("change", "what"), [
    (lambda head: SignedHead(head.size, head.root, bytes(64)), "not signed"),
    (lambda head: SignedHead(head.size + 1, head.root, head.signature), "another size"),
    (lambda head: SignedHead(head.size, bytes(32), head.signature), "another root"),
])  # fmt: skip
def test_a_head_that_its_node_has_not_signed_is_not_signed(
    node: NodeStore, change: Callable[[SignedHead], SignedHead], what: str
) -> None:
    mark = KeptMark()
    node.witnesses.add(card_of(LOG))
    assert signs(node, mark, 4, 0)
    for size in (4, 6):
        try:
            word = node.witnesses.take(mark, LOG.public, change(TREE.head(size)), 4, TREE.hashes(4, size))
        except DirectoryInvalid:
            continue
        assert not word.signs, what
    (peer,) = node.witnesses.peers()
    assert peer.fork is None, "that proves nothing against the log's node"
    assert signs(node, mark, 6, 4)


def test_strangers_and_nodes_that_were_removed_get_no_signature_and_nothing_is_forgotten(node: NodeStore) -> None:
    mark = KeptMark()
    assert not signs(node, mark, 4, 0)
    node.witnesses.add(card_of(LOG))
    assert signs(node, mark, 4, 0)
    assert node.witnesses.remove(LOG.public)
    assert not node.witnesses.remove(LOG.public)
    assert not signs(node, mark, 5, 4)
    assert node.witnesses.peers() == []
    node.witnesses.add(card_of(LOG, 2))
    assert not signs(node, mark, 5, 0, Tree(2)), "what was signed before is known"
    assert signs(node, mark, 5, 4)
    (peer,) = node.witnesses.peers()
    assert peer.node_card.sequence == 2


def test_there_are_so_many_nodes_and_logs_and_no_more(node: NodeStore) -> None:
    keys = [SigningKey.from_seed(number.to_bytes(32, "big")) for number in range(LOGS_MAX + 1)]
    for key in keys[:PEERS_MAX]:
        node.witnesses.add(card_of(key))
    with pytest.raises(RowLimitReached):
        node.witnesses.add(card_of(keys[PEERS_MAX]))
    node.witnesses.add(card_of(keys[0], 2))
    for key in keys[PEERS_MAX:LOGS_MAX]:
        assert node.witnesses.remove(node.witnesses.peers()[0].node)
        node.witnesses.add(card_of(key))
    assert node.witnesses.remove(node.witnesses.peers()[0].node)
    with pytest.raises(RowLimitReached):
        node.witnesses.add(card_of(keys[LOGS_MAX]))


# -- older stores -----------------------------------------------------------------------------------------------------


def test_what_is_signed_is_in_the_mark_before_it_is_signed(node: NodeStore, tmp_path: Path) -> None:
    mark = FileMark(tmp_path, WITNESS_MARK_NAME)
    node.witnesses.add(card_of(LOG))
    assert signs(node, mark, 4, 0)
    before = node.database.rows("SELECT signed FROM witness")[0]
    assert signs(node, mark, 6, 4)
    node.database.run("UPDATE witness SET signed = ?", before)
    for size, known, tree in ((5, 4, TREE), (6, 4, TREE), (9, 4, TREE), (9, 4, Tree(4))):
        with pytest.raises(LogRolledBack):
            signs(node, mark, size, known, tree)
    node.database.run("DELETE FROM witness")
    node.witnesses.add(card_of(LOG))
    with pytest.raises(LogRolledBack):
        signs(node, mark, 4, 0)


def test_a_node_from_a_backup_signs_nothing_for_others_for_good(node: NodeStore) -> None:
    mark = KeptMark()
    node.witnesses.hold_back()
    node.witnesses.add(card_of(LOG))
    with pytest.raises(LogRolledBack, match="another node as the witness"):
        signs(node, mark, 4, 0)
    register(node, "alice")
    assert epoch(node, KeptMark()) is False
    assert node.log.size() == 1, "its own log goes on"


def test_a_damaged_mark_lets_nothing_be_signed(node: NodeStore, tmp_path: Path) -> None:
    mark = FileMark(tmp_path, WITNESS_MARK_NAME)
    mark.write(b"damaged")
    node.witnesses.add(card_of(LOG))
    with pytest.raises(StoreCorrupt):
        signs(node, mark, 4, 0)


def test_the_marks_of_all_workers_follow(node: NodeStore) -> None:
    one, other = KeptMark(), KeptMark()
    node.witnesses.follow(other)
    assert other.read() is None
    node.witnesses.add(card_of(LOG))
    assert signs(node, one, 4, 0)
    node.witnesses.follow(other)
    assert other.read() == one.read()
    node.witnesses.follow(other)
    assert len(other.given_out) == 1, "written once"


def test_of_two_at_once_both_sign_one_history(node: NodeStore) -> None:
    """Two workers of a witness get heads of two histories at once: one of them is signed."""
    node.witnesses.add(card_of(LOG))
    mark = KeptMark()
    assert signs(node, mark, 4, 0)
    gate = threading.Barrier(2, timeout=20)

    def ask(tree: Tree) -> bool:
        gate.wait()
        try:
            return signs(node, KeptMark(), 5, 4, tree)
        except DirectoryInvalid:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(ask, (TREE, Tree(4)))) == [False, True]


# -- the own log ------------------------------------------------------------------------------------------------------


def test_signatures_to_the_own_head_are_shown_while_it_is_the_newest(node: NodeStore) -> None:
    mark = KeptMark()
    register(node, "alice")
    epoch(node, mark)
    node.witnesses.add(card_of(LOG))
    place = node.proofs.place_of(SIGNER, mark, "alice")
    assert place is not None
    assert place.cosignatures == b""
    shown = node.proofs.continuing(SIGNER, mark, 0)
    assert shown is not None
    head = LogHead(KEY.public, shown[0].size, shown[0].root)
    cosignature = cosign(LOG, head, 5)
    node.witnesses.note_cosignature(LOG.public, 1, cosignature)
    place = node.proofs.place_of(SIGNER, mark, "alice")
    assert place is not None
    assert place.cosignatures == cosignature
    register(node, "bob")
    epoch(node, mark)
    place = node.proofs.place_of(SIGNER, mark, "alice")
    assert place is not None
    assert place.cosignatures == b"", "that was an older head"
    node.witnesses.note_cosignature(LOG.public, 2, cosignature)
    node.witnesses.note_cosignature(LOG.public, 1, b"late")
    assert node.witnesses.cosignatures(2) == [(LOG.public, cosignature)], "a late answer changes nothing"
    assert node.witnesses.remove(LOG.public)
    assert node.witnesses.cosignatures(2) == []
