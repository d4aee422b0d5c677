"""Whether the directory's log in a node's store is sound: each epoch, the map that they give, and what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from usernym.protocol.cards import decode_card
from usernym.protocol.directory.checkpoints import LogHead, read_checkpoint
from usernym.protocol.directory.epochs import EpochEntry, decode_changes, decode_entry
from usernym.protocol.directory.events import DirectoryEvent
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import Frontier, entry_hash
from usernym.protocol.directory.name_map import ROOT_PLACE, MapLeaf, bucket_of, raised
from usernym.protocol.directory.shown import KnownLog
from usernym.protocol.directory.witnesses import is_cosigned
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.records import decode_succession
from usernym.protocol.wire import decoder_of, unpack
from usernym.storage.integrity import ReadOnlyStore
from usernym.storage.node.checked_logs import checked_log
from usernym.storage.node.epochs import stored_roots


def directory_problems(store: ReadOnlyStore, node: bytes) -> Iterator[str]:
    """What is wrong, in words. All leaves are in memory meanwhile."""
    yield from _waiting_problems(store)
    yield from _witness_problems(store)
    leaves: dict[bytes, MapLeaf] = {}
    former: dict[bytes, bytes] = {}
    roots: dict[int, bytes] = {}
    frontier, last, peaks = Frontier(), None, b""
    for number, data, changes, checkpoint in store.rows(
        "SELECT number, entry, changes, checkpoint FROM directory_epoch ORDER BY number"
    ):
        try:
            entry = decode_entry(data)
            for change in decode_changes(changes):
                former[change.label] = change.former_head(leaves.get(change.label))
                leaves[change.label] = change.applied(leaves.get(change.label))
            head = read_checkpoint(checkpoint)
        except DirectoryInvalid as error:
            yield f"epoch {number} of the directory's log is damaged ({error})"
            return
        peaks, leaf = b"".join(frontier.peaks), entry_hash(data)
        roots |= dict(stored_roots(frontier.size, frontier.peaks, leaf))
        frontier = frontier.with_leaf(leaf)
        if (entry.node, entry.number, entry.names) != (node, number, len(leaves)) or number + 1 != frontier.size:
            yield f"epoch {number} of the directory's log is not what follows on the epoch before it"
        if head != LogHead(node, frontier.size, frontier.root()):
            yield f"epoch {number} of the directory's log: its signed head is not that of the log"
        last = entry
    yield from _map_problems(store, leaves, former, last)
    if roots != dict(store.rows("SELECT place, hash FROM directory_tree")):
        yield "the directory's stored tree is not that of its log"
    made_at = 0 if last is None else last.made_at
    state = frontier.size, b"".join(frontier.peaks), peaks, len(leaves), made_at
    for row in store.rows(
        "SELECT size, coalesce(peaks, x''), coalesce(former_peaks, x''), names, made_at FROM directory_log"
    ):
        if row != state:
            yield "the directory's log does not say how far it is"


def _waiting_problems(store: ReadOnlyStore) -> Iterator[str]:
    for row, event, link in store.rows("SELECT id, event, link FROM directory_change"):
        try:
            DirectoryEvent(event)
            decode_succession(link)
        except (RemoteProtocolError, ValueError):
            yield f"event for the directory's log, row {row}: it is damaged"


def _witness_problems(store: ReadOnlyStore) -> Iterator[str]:
    roots = dict(store.rows("SELECT number + 1, checkpoint FROM directory_epoch"))
    rows = store.rows("SELECT number, node, card, signed, size, cosignature, checked FROM witness")
    for number, witness, card, signed, size, cosignature, checked in rows:
        try:
            checked_log(checked)
            log = None if signed is None else unpack(decoder_of(KnownLog), signed)
            holds = decode_card(card).node == witness and (log is None or log.head.is_signed(witness))
            if holds and cosignature is not None:
                holds = size in roots and is_cosigned(witness, read_checkpoint(roots[size]), cosignature)
        except (RemoteProtocolError, DirectoryInvalid):
            holds = False
        if not holds:
            yield f"witness, row {number}: it is damaged"


def _map_problems(
    store: ReadOnlyStore, leaves: dict[bytes, MapLeaf], former: dict[bytes, bytes], last: EpochEntry | None
) -> Iterator[str]:
    stored, stored_former = {}, {}
    for label, events, head, before in store.rows("SELECT label, events, head, former FROM directory_leaf"):
        stored[label], stored_former[label] = MapLeaf(label, events, head), before
    if (stored, stored_former) != (leaves, former):
        yield "the directory's leaves are not those of its log"
    buckets = defaultdict[int, list[MapLeaf]](list)
    for leaf in sorted(leaves.values()):
        buckets[bucket_of(leaf.label)].append(leaf)
    hashes = raised(buckets, lambda _places: {})
    if hashes != dict(store.rows("SELECT place, hash FROM directory_node")):
        yield "the directory's map is not that of its leaves"
    if last is not None and hashes.get(ROOT_PLACE) != last.root:
        yield "the directory's map is not that of its log"
