"""Files on their way, and those that have come: what was offered, how far it is, and the chunks. All of it encrypted.

A file's chunks are its only copy: nothing is written together before it is read. The chunks that are on their way are
messages in the outbox, which name a file and a number; they are removed when their fate is known, and the history never
shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from usernym.protocol.payloads import FileChunk, FileEnded, FileWanted
from usernym.storage.client.schema import FileChunkRow, FileRow
from usernym.storage.client.types import Consent, Direction, FileState, StoredFile
from usernym.storage.database import StoreDatabase
from usernym.storage.tables import Table, insertion

PASSING_KINDS: Final = tuple(kind.__struct_config__.tag for kind in (FileWanted, FileChunk, FileEnded))
"""The kinds of messages about a file that are no part of a conversation."""
_CHUNK: Final = FileChunk.__struct_config__.tag
_NUMBER_BYTES: Final = 4
_OUT, _IN = Direction.OUT.number, Direction.IN.number
_OPEN: Final = ", ".join(str(state.number) for state in FileState if not state.is_final)
_KINDS: Final = f"({', '.join(map(str, PASSING_KINDS))})"

_FILES: Final = Table(FileRow, StoredFile)
_ONE: Final = _FILES.select("WHERE contact = ? AND direction = ? AND message_id = ?")
_PAGE: Final = _FILES.select("WHERE (?1 IS NULL OR contact = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3")
_SENDING: Final = _FILES.select(f"WHERE direction = {_OUT} AND state = {FileState.UNDER_WAY.number} ORDER BY id")
_KEPT_STATES: Final = f"({FileState.UNDER_WAY.number}, {FileState.COMPLETE.number})"
_TO_WANT: Final = _FILES.select(f"""
    JOIN contact ON contact.name = file.contact
    JOIN (SELECT contact, sum(iif(state IN {_KEPT_STATES}, size, 0)) AS size, max(wanted_at) AS wanted_at
          FROM file WHERE direction = {_IN} GROUP BY contact) AS kept ON kept.contact = file.contact
    WHERE direction = {_IN} AND state = {FileState.OFFERED.number} AND consent = {Consent.ACCEPTED.number}
        AND file.size <= ?1 AND file.size <= ?2 - kept.size ORDER BY kept.wanted_at NULLS FIRST, file.id LIMIT 1
""")  # noqa: S608 - constants
_COMING: Final = f"""
    SELECT count(*) FROM file
    WHERE direction = {_IN} AND state = {FileState.UNDER_WAY.number} AND moved_at > ?2 - ?1 AND moved_at <= ?2
        AND wanted_at + done * ?3 > ?2 - ?1
"""  # noqa: S608 - constants
_ANY_OPEN: Final = f"SELECT 1 FROM file WHERE state IN ({_OPEN}) LIMIT 1"  # noqa: S608 - constants
_LAST_MOVES: Final = f"SELECT moved_at FROM file WHERE state = {FileState.UNDER_WAY.number}"  # noqa: S608 - constants
_KEPT: Final = f"""
    SELECT coalesce(sum(size), 0) FROM file WHERE direction = {_IN} AND state IN {_KEPT_STATES}
"""  # noqa: S608 - constants
_ON_THEIR_WAY: Final = f"""
    SELECT count(*) FROM message
    WHERE contact = ? AND kind = {_CHUNK} AND direction = {_OUT} AND substr(body, 1, 16) = ?
"""  # noqa: S608 - constants
_PASSING: Final = f"contact = ? AND direction = {_OUT} AND kind IN {_KINDS} AND substr(body, 1, 16) = ?"
_END_MESSAGES: Final = f"DELETE FROM message WHERE {_PASSING}"  # noqa: S608 - constants
_END_OUTBOX: Final = f"""
    DELETE FROM outbox WHERE message_id IN (SELECT message_id FROM message WHERE {_PASSING})
"""  # noqa: S608 - constants
_ENDS_UNSETTLED: Final = f"""
    SELECT count(*) FROM message WHERE contact = ? AND kind = {FileEnded.__struct_config__.tag} AND direction = {_OUT}
"""  # noqa: S608 - constants
_ADD: Final = insertion(
    FileRow,
    ("contact", "direction", "message_id", "name", "size", "kind", "digest", "state", "next", "done", "created_at",
     "moved_at"),
)  # fmt: skip
_ADD_CHUNK: Final = insertion(FileChunkRow)
_NO_ROW: Final = 2**63 - 1


def body_of(file: bytes, number: int = 0) -> bytes:
    """What a message about a file holds in the store: the id of the file's offer, and a chunk's number."""
    return file + number.to_bytes(_NUMBER_BYTES, "big")


def named_in(body: bytes) -> tuple[bytes, int]:
    """The file and the number that `body_of` wrote."""
    cut = len(body) - _NUMBER_BYTES
    return body[:cut], int.from_bytes(body[cut:], "big")


class Files:
    """All conversations' files."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def add(
        self,
        contact: str,
        direction: Direction,
        message_id: bytes,
        *,
        name: str,
        size: int,
        kind: int,
        digest: bytes,
        now: int,
        chunks: Iterable[bytes] = (),
    ) -> None:
        """Keep an offer; with the file's chunks, if it is the user's."""
        with self._db.one_commit():
            added = {
                "contact": contact, "direction": direction.number, "message_id": message_id, "name": name,
                "size": size, "kind": kind, "digest": digest, "state": FileState.OFFERED.number, "next": 0, "done": 0,
                "created_at": now, "moved_at": now,
            }  # fmt: skip
            self._db.run(_ADD, added)
            file = self._db.value(int, "SELECT last_insert_rowid()")
            for number, content in enumerate(chunks):
                self._db.run(_ADD_CHUNK, {"file": file, "number": number, "content": content})

    def get(self, contact: str, message_id: bytes, direction: Direction) -> StoredFile | None:
        """The file that was offered in this message."""
        return _FILES.first(self._db, _ONE, (contact, direction.number, message_id))

    def page(self, contact: str | None, limit: int, before: int | None = None) -> Sequence[StoredFile]:
        """The last `limit` files, with a contact or with all, of those before file `before`; the newest first."""
        return _FILES.all(self._db, _PAGE, (contact, _NO_ROW if before is None else before, limit))

    def any_open(self) -> bool:
        """Whether any file is neither whole nor ended."""
        return self._db.row(_ANY_OPEN) is not None

    def sending(self) -> Sequence[StoredFile]:
        """The user's files that their recipients want, the oldest first."""
        return _FILES.all(self._db, _SENDING)

    def to_want(self, room: int, room_of_one: int) -> StoredFile | None:
        """A file of an accepted contact that waits to be wanted, fits into `room` bytes, and with what is kept of its
        sender into `room_of_one`: the oldest of the sender of whom none was wanted for the longest time."""
        return _FILES.first(self._db, _TO_WANT, (room, room_of_one))

    def want(self, file: StoredFile, now: int) -> None:
        """The file is to come."""
        with self._db.one_commit():
            self.move(file, FileState.UNDER_WAY, now)
            self._db.run("UPDATE file SET wanted_at = ? WHERE id = ?", (now, file.id))

    def coming(self, now: int, stalled_s: int, slow_s: int) -> int:
        """How many files are coming: of which something came within `stalled_s`, and in all a chunk each `slow_s`
        seconds since then. What came at a time that is still to come was dated by a clock that was ahead."""
        return self._db.value(int, _COMING, (stalled_s, now, slow_s)) or 0

    def last_moves(self) -> Sequence[int]:
        """When each file under way has last moved (Unix seconds)."""
        return [moved_at for (moved_at,) in self._db.rows(_LAST_MOVES)]

    def kept_bytes(self) -> int:
        """The bytes of what is coming and has come, from all."""
        return self._db.value(int, _KEPT) or 0

    def move(self, file: StoredFile, state: FileState, now: int) -> bool:
        """Move a file on; False if its state is final."""
        moved = f"UPDATE file SET state = ?, moved_at = ? WHERE id = ? AND state IN ({_OPEN})"  # noqa: S608 - constants
        return self._db.run(moved, (state.number, now, file.id)) > 0

    def erase_chunks(self, file: StoredFile) -> None:
        """Keep nothing of what came."""
        self._db.run("DELETE FROM file_chunk WHERE file = ?", (file.id,))

    def erase(self, file: StoredFile) -> None:
        """Keep nothing of a file: neither what is in it, nor that it was there."""
        self._db.run("DELETE FROM file WHERE id = ?", (file.id,))

    # -- chunks --

    def chunk(self, file: StoredFile, number: int) -> bytes | None:
        return self._db.value(bytes, "SELECT content FROM file_chunk WHERE file = ? AND number = ?", (file.id, number))

    def content(self, file: StoredFile) -> bytes:
        """All that is there of a file, in order."""
        rows = self._db.rows("SELECT content FROM file_chunk WHERE file = ? ORDER BY number", (file.id,))
        return b"".join(content for (content,) in rows)

    def take_chunk(self, file: StoredFile, number: int, content: bytes, now: int) -> int:
        """Keep a chunk that came; how many there are then. One that is there already stays as it is."""
        with self._db.one_commit():
            added = {"file": file.id, "number": number, "content": content}
            if self._db.run(f"{_ADD_CHUNK} ON CONFLICT DO NOTHING", added):
                self._note_done(file, now)
            return self._done(file)

    def chunk_arrived(self, file: StoredFile, now: int) -> int:
        """One chunk more is at the recipient; how many there are then."""
        with self._db.one_commit():
            self._note_done(file, now)
            return self._done(file)

    def set_next(self, file: StoredFile, number: int) -> None:
        """All chunks below this number have been handed to the outbox."""
        self._db.run("UPDATE file SET next = ? WHERE id = ?", (number, file.id))

    def on_their_way(self, file: StoredFile) -> int:
        """How many of the file's chunks are in the outbox."""
        return self._db.value(int, _ON_THEIR_WAY, (file.contact, file.message_id)) or 0

    def ends_unsettled(self, contact: str) -> int:
        """How many `FileEnded` to this contact are not confirmed."""
        return self._db.value(int, _ENDS_UNSETTLED, (contact,)) or 0

    def end_passing(self, file: StoredFile) -> None:
        """Send nothing more about a file: its chunks, and what the user said about it."""
        with self._db.one_commit():
            of = (file.contact, file.message_id)
            self._db.run(_END_OUTBOX, of)
            self._db.run(_END_MESSAGES, of)

    def forget_passed(self, contact: str, message_id: bytes) -> None:
        """Remove a message about a file whose fate is known."""
        self._db.run(
            f"DELETE FROM message WHERE contact = ? AND direction = {_OUT} AND message_id = ?"  # noqa: S608
            f" AND kind IN {_KINDS}",
            (contact, message_id),
        )

    def _note_done(self, file: StoredFile, now: int) -> None:
        self._db.run("UPDATE file SET done = done + 1, moved_at = ? WHERE id = ?", (now, file.id))

    def _done(self, file: StoredFile) -> int:
        return self._db.value(int, "SELECT done FROM file WHERE id = ?", (file.id,)) or 0
