"""The list of contacts as a person sees it: in their order, a page at a time, with what only this device knows of them.

A part of the client's store. What a page costs depends on its lines, not on how many contacts and texts there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from usernym.protocol.payloads import FileOffer, Text
from usernym.storage.client.contacts import CONTACTS
from usernym.storage.client.schema import ContactRow
from usernym.storage.client.types import Consent, Contact, DeliveryState, Direction
from usernym.storage.database import StoreDatabase, marks
from usernym.storage.tables import update_one

SNIPPET_BYTES: Final = 400
"""Of the newest text in a line: more than fits on a screen."""
ENTRY_KINDS: Final = tuple(kind.__struct_config__.tag for kind in (Text, FileOffer))
"""The kinds of messages that a person sees: a file stands at the place of its offer, whose body is its name."""
_KINDS: Final = f"({', '.join(map(str, ENTRY_KINDS))})"
_PERSONAL: Final = "nickname, is_muted, is_pinned, is_archived, last_row, draft != ''"
_SELECT: Final = f"SELECT {CONTACTS.columns}, {_PERSONAL} FROM contact"  # noqa: S608 - constants
_ORDER: Final = "ORDER BY is_pinned DESC, last_row DESC, name"
_BEHIND: Final = """
    is_pinned <= :pinned AND (is_pinned < :pinned OR last_row < :last_row OR (last_row = :last_row AND name > :name))
"""
_LAST: Final = f"""
    SELECT place, counter, id, kind, direction, substr(body, 1, {SNIPPET_BYTES}), stored_at, state FROM message
    WHERE contact = ? AND kind = ? ORDER BY place DESC, counter DESC, id DESC LIMIT 1
"""  # noqa: S608 - constants
UNREAD_MAX: Final = 1_000
"""Unread texts of a contact that are counted: more than a badge shows."""
_UNREAD: Final = f"FROM message INDEXED BY message_unread WHERE shown = 0 AND kind IN {_KINDS}"
_UNREAD_ALL: Final = f"""
    SELECT count(*) FROM (SELECT 1 {_UNREAD} AND EXISTS (SELECT 1 FROM contact
        WHERE name = message.contact AND consent = {Consent.ACCEPTED.number} AND is_muted = 0) LIMIT ?)
"""  # noqa: S608 - constants
_UNREAD_EACH: Final = f"""
    SELECT name, (SELECT count(*) FROM (SELECT 1 {_UNREAD} AND contact = listed.name LIMIT {UNREAD_MAX}))
    FROM contact AS listed WHERE name IN
"""  # noqa: S608 - constants
_CONTAINS: Final = "(instr(name, lower(:words)) > 0 OR instr(lower(nickname), lower(:words)) > 0)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands in its list: after it continues the next page."""

    pinned: bool
    last_row: int
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LastText:
    """The beginning of the newest text with a contact; or the name of a file, if that is newer."""

    row: int
    outgoing: bool
    is_file: bool
    beginning: str = field(repr=False)
    """At most 400 bytes of UTF-8."""
    stored_at: int
    state: DeliveryState


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list. `last_row` is the row of the newest message, 0 for none."""

    contact: Contact
    nickname: str = field(repr=False)
    is_muted: bool
    is_pinned: bool
    is_archived: bool
    last_row: int
    has_draft: bool
    unread: int
    last: LastText | None

    @property
    def place(self) -> Place:
        """For the page after this line."""
        return Place(self.is_pinned, self.last_row, self.contact.name)


class Listing:
    """Reads the list, and keeps what the user chose for a line. Changing an unknown contact returns False."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def page(
        self, consents: Collection[Consent], limit: int, after: Place | None, *, archived: bool | None
    ) -> list[Listed]:
        """Lines of contacts with one of these consents; archived ones, others, or both (None)."""
        where = f"consent IN ({', '.join(str(each.number) for each in consents)})"
        values: dict[str, Any] = {"limit": limit}
        if archived is not None:
            where += f" AND is_archived = {int(archived)}"
        if after is not None:
            where += f" AND {_BEHIND}"
            values |= {"pinned": after.pinned, "last_row": after.last_row, "name": after.name}
        return self._lines(f"{_SELECT} WHERE {where} {_ORDER} LIMIT :limit", values)

    def one(self, name: str) -> Listed | None:
        """The line of one contact."""
        return next(iter(self._lines(f"{_SELECT} WHERE name = :name", {"name": name})), None)

    def find(self, words: str, limit: int) -> list[Listed]:
        """Lines of accepted and waiting contacts whose name or nickname contains `words`."""
        shown = f"consent IN ({Consent.ACCEPTED.number}, {Consent.PENDING.number})"
        # The index has all that is looked at: whole rows, with their keys, are a hundred times as much to read.
        names = f"SELECT name FROM contact INDEXED BY contact_list WHERE {shown} AND {_CONTAINS} {_ORDER} LIMIT :limit"  # noqa: S608 - constants
        where = f"{_SELECT} WHERE name IN ({names}) {_ORDER}"
        return self._lines(where, {"words": words, "limit": limit})

    def counts(self, limit: int) -> dict[tuple[Consent, bool], int]:
        """How many contacts there are by consent and whether they are archived, of each up to `limit`."""
        count = "SELECT count(*) FROM (SELECT 1 FROM contact WHERE consent = ? AND is_archived = ? LIMIT ?)"
        return {
            (consent, archived): self._db.value(int, count, (consent.number, archived, limit)) or 0
            for consent in Consent
            for archived in (False, True)
        }

    def unread(self, limit: int) -> int:
        """How many texts and files of accepted contacts that are not muted were not shown, up to `limit`."""
        return self._db.value(int, _UNREAD_ALL, (limit,)) or 0

    def unread_rows(self, name: str, last: int, limit: int) -> Sequence[int]:
        """Rows of texts and files up to row `last` that were not shown, the newest first; at most `limit`."""
        found = self._db.rows(
            f"SELECT id {_UNREAD} AND contact = ? AND id <= ? ORDER BY id DESC LIMIT ?",
            (name, last, limit),
        )
        return [row for (row,) in found]

    def set(
        self,
        name: str,
        *,
        nickname: str | None = None,
        is_muted: bool | None = None,
        is_pinned: bool | None = None,
        is_archived: bool | None = None,
    ) -> bool:
        """Keep what the user chose for a contact; None leaves it as it is."""
        chosen = {"nickname": nickname, "is_muted": is_muted, "is_pinned": is_pinned, "is_archived": is_archived}
        columns = {column: value for column, value in chosen.items() if value is not None}
        if not columns:
            return self._db.row("SELECT 1 FROM contact WHERE name = ?", (name,)) is not None
        return update_one(self._db, ContactRow, name, columns)

    def draft(self, name: str) -> str:
        """What the user was writing to a contact."""
        return self._db.value(str, "SELECT draft FROM contact WHERE name = ?", (name,)) or ""

    def set_draft(self, name: str, text: str) -> bool:
        """Keep what the user is writing."""
        return self._db.run("UPDATE contact SET draft = ? WHERE name = ?", (text, name)) > 0

    def _lines(self, sql: str, values: dict[str, Any]) -> list[Listed]:
        rows = self._db.rows(sql, values)
        width = len(CONTACTS.names)
        contacts = [CONTACTS.of_row(row[:width]) for row in rows]
        unread = self._unread_of(contact.name for contact in contacts)
        return [
            Listed(
                contact, row[width], bool(row[width + 1]), bool(row[width + 2]), bool(row[width + 3]), row[width + 4],
                bool(row[width + 5]), unread.get(contact.name, 0), self._last(contact.name),
            )
            for row, contact in zip(rows, contacts, strict=True)
        ]  # fmt: skip

    def _last(self, name: str) -> LastText | None:
        # One search for each kind: the index is in the order of one kind's messages.
        found = [row for kind in ENTRY_KINDS if (row := self._db.row(_LAST, (name, kind))) is not None]
        if not found:
            return None
        _, _, row, kind, direction, body, stored_at, state = max(found)
        beginning = bytes(body).decode(errors="ignore")
        is_file = kind != ENTRY_KINDS[0]
        return LastText(
            row, direction == Direction.OUT.number, is_file, beginning, stored_at, DeliveryState.of_number(state)
        )

    def _unread_of(self, names: Iterable[str]) -> dict[str, int]:
        wanted = list(names)
        return dict(self._db.rows(f"{_UNREAD_EACH} ({marks(len(wanted))})", wanted))
