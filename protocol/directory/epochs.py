"""An epoch: what changed in the map, and the log's entry about it. docs/directory.md, "Epochs"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from usernym.protocol.directory.events import NO_EVENTS, next_head
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.name_map import MapLeaf
from usernym.protocol.limits import HASH_BYTES, KEY_BYTES
from usernym.protocol.signing import Context, labelled

EVENTS_AT_ONCE_MAX: Final = 255
"""Events of one name in one epoch: their number is a byte. What is more waits for the next epoch."""
_START: Final = labelled(Context.EPOCH)
_NUMBER_BYTES: Final = 8
ENTRY_BYTES: Final = len(_START) + 2 * KEY_BYTES + 3 * _NUMBER_BYTES + HASH_BYTES
_LENGTH_BYTES: Final = 4
CHANGES_BYTES_MAX: Final = 16 * 2**20
"""A node's epoch has 1,000 events, which are 69 kB at most; what is longer is not read."""
_CHANGE_HEAD_BYTES: Final = HASH_BYTES + 4 + 1


@dataclass(frozen=True, slots=True)
class EpochEntry:
    """The log's entry about an epoch."""

    node: bytes
    vrf: bytes
    """The public key of the function that makes labels; the same in all of a log's entries."""
    number: int
    """The entry's place in the log; 0 is the first."""
    made_at: int
    """The node's time in Unix seconds; never less than the entry before says."""
    names: int
    """Labels in the map."""
    root: bytes
    """The map's root."""

    def encoded(self) -> bytes:
        """The entry's bytes."""
        numbers = (number.to_bytes(_NUMBER_BYTES, "big") for number in (self.number, self.made_at, self.names))
        return _START + self.node + self.vrf + b"".join(numbers) + self.root


def decode_entry(data: bytes) -> EpochEntry:
    """An entry from its bytes. Raises `DirectoryInvalid`."""
    if len(data) != ENTRY_BYTES or not data.startswith(_START):
        raise DirectoryInvalid("an entry of the log is not an epoch's")
    at = len(_START)
    node, vrf = data[at : at + KEY_BYTES], data[at + KEY_BYTES : at + 2 * KEY_BYTES]
    at += 2 * KEY_BYTES
    number, made_at, names = (
        int.from_bytes(data[at + place : at + place + _NUMBER_BYTES], "big") for place in (0, 8, 16)
    )
    return EpochEntry(node, vrf, number, made_at, names, data[-HASH_BYTES:])


def joined(entry: bytes, changes: bytes) -> bytes:
    """An epoch as it is read from a node (`LogRead`): its entry, the length of its changes in four bytes, and these."""
    return entry + len(changes).to_bytes(_LENGTH_BYTES, "big") + changes


def parted(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """The entry and the changes of the first epoch in `data`, and what follows it; None if it is not whole yet. Raises
    `DirectoryInvalid` for more than an epoch can have."""
    start = ENTRY_BYTES + _LENGTH_BYTES
    length = int.from_bytes(data[ENTRY_BYTES:start], "big")
    if len(data) >= start and length > CHANGES_BYTES_MAX:
        raise DirectoryInvalid("an epoch has more changes than there can be")
    if len(data) < start + length or len(data) < start:
        return None
    return data[:ENTRY_BYTES], data[start : start + length], data[start + length :]


@dataclass(frozen=True, slots=True)
class MapChange:
    """What happened to one label within an epoch."""

    label: bytes
    events_before: int
    """Events that the label's chain had; 0 for a new label."""
    added: tuple[bytes, ...]
    """The commitments of the events that came, in their order."""

    def applied(self, before: MapLeaf | None) -> MapLeaf:
        """The label's leaf after the change. Raises `DirectoryInvalid` if the change is not about `before`."""
        events, head = (0, NO_EVENTS) if before is None else (before.events, before.head)
        if events != self.events_before:
            raise DirectoryInvalid("a chain was changed otherwise than by events at its end")
        for event in self.added:
            events += 1
            head = next_head(head, events, event)
        return MapLeaf(self.label, events, head)

    def former_head(self, before: MapLeaf | None) -> bytes:
        """The chain's head without the newest event."""
        return replace(self, added=self.added[:-1]).applied(before).head


def encode_changes(changes: Sequence[MapChange]) -> bytes:
    """All changes of an epoch, in the order of their labels."""
    return b"".join(
        change.label + change.events_before.to_bytes(4, "big") + bytes((len(change.added),)) + b"".join(change.added)
        for change in changes
    )


def decode_changes(data: bytes) -> Iterator[MapChange]:
    """An epoch's changes. Raises `DirectoryInvalid` unless they are in order, and each is one."""
    at, last = 0, b""
    while at < len(data):
        label = data[at : at + HASH_BYTES]
        before = int.from_bytes(data[at + HASH_BYTES : at + HASH_BYTES + 4], "big")
        start = at + _CHANGE_HEAD_BYTES
        count = data[start - 1] if start <= len(data) else 0
        at = start + count * HASH_BYTES
        if not count or at > len(data) or label <= last:
            raise DirectoryInvalid("an epoch's changes are malformed, or out of order")
        last = label
        yield MapChange(
            label, before, tuple(data[place : place + HASH_BYTES] for place in range(start, at, HASH_BYTES))
        )
