"""What the next epoch of the directory will say of a name. docs/directory.md, "Promises"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from usernym.protocol.directory.epochs import EVENTS_AT_ONCE_MAX
from usernym.protocol.directory.events import NO_EVENTS, DirectoryEvent, commitment, label_of, next_head
from usernym.protocol.directory.proofs import ChainEnd
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.records import decode_succession, record_hash
from usernym.storage.engine import Engine
from usernym.storage.node.epochs import EVENTS_MAX, DirectoryLog, EpochSigner
from usernym.storage.node.head_mark import HeadMark

PROMISED_PLACE_MAX: Final = EVENTS_MAX // 2
"""A change further back among those that wait is not promised: the next epoch must have it, also where workers commit
some that have their place before it later."""
_WAITING: Final = "SELECT id, event, link FROM directory_change WHERE name = ? ORDER BY id LIMIT ?"
_PLACE: Final = "SELECT count(*) FROM directory_change WHERE id <= ?"
_LOG: Final = "SELECT size, made_at FROM directory_log WHERE id = 1"
_LEAF: Final = "SELECT events, head FROM directory_leaf WHERE label = ?"


@dataclass(frozen=True, slots=True)
class ComingEnd:
    """The end that a name's chain has with all that waits for it, and the log before that: how many epochs it has, and
    when the newest was made (Unix seconds; 0 before the first)."""

    chain: ChainEnd
    head: bytes
    size: int
    made_at: int


class DirectoryPromises:
    """What waits, read for promises."""

    def __init__(self, database: Engine, log: DirectoryLog) -> None:
        self._db = database
        self._log = log

    def coming_end(self, signer: EpochSigner, mark: HeadMark, name: str) -> ComingEnd | None:
        """The end that the next epoch gives to a name's chain; None if nothing waits for the name, or if it is not
        certain that the next epoch takes all of it. Raises `LogRolledBack` where no epoch is made."""
        self._log.give_out(mark)
        node = signer.key.public
        label = label_of(signer.vrf, node, name)
        with self._db.one_moment():
            waiting = self._db.rows(_WAITING, (name, EVENTS_AT_ONCE_MAX + 1))
            if not 0 < len(waiting) <= EVENTS_AT_ONCE_MAX:
                return None
            ((place,),) = self._db.rows(_PLACE, (waiting[-1][0],))
            ((size, made_at),) = self._db.rows(_LOG)
            events, head = self._db.row(_LEAF, (label,)) or (0, NO_EVENTS)
        if place > PROMISED_PLACE_MAX:
            return None
        before, event = head, DirectoryEvent.REGISTERED
        for _, number, link in waiting:
            try:
                event, identity = DirectoryEvent(number), record_hash(node, name, decode_succession(link).stub)
            except (RemoteProtocolError, ValueError):
                return None  # no epoch takes a damaged row
            events, before = events + 1, head
            head = next_head(before, events, commitment(event, identity))
        return ComingEnd(ChainEnd(events, before, int(event)), head, size, made_at)
