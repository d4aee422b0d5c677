"""The list of contacts as a program shows it to a person: behind `Client.contact_list`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from usernym.errors import NoSuchContact, SettingsError
from usernym.protocol.files import safe_name
from usernym.protocol.names import canonical
from usernym.running import RunningClient
from usernym.storage.client.listing import LastText, Listed, Place
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent
from usernym.views import ContactView, contact_view

NICKNAME_LETTERS_MAX: Final = 64
"""Twice a name's: more fits in no list."""
DRAFT_LETTERS_MAX: Final = 2 * 65_536
"""A text that is too long can be kept until it is shortened."""
_READ_MAX: Final = 10_000
"""Texts that one call marks as read; the next one continues."""


@dataclass(frozen=True, slots=True)
class ListedContact:
    """A contact or request, with what only this home knows of it."""

    contact: ContactView
    nickname: str = field(repr=False)
    """The user's own name for this person; empty: none."""
    is_muted: bool
    """Whether a program should keep quiet about new texts."""
    is_pinned: bool
    """Whether it stays at the top of the list."""
    is_archived: bool
    """Whether it is out of the list. A new message brings it back, unless it is muted."""
    last_row: int
    """The row of the newest message; 0 for none. The list is in this order."""
    has_draft: bool
    unread: int
    """Texts and files that came and were not marked as read."""
    last: LastText | None
    """The newest text, or file."""
    place: str = field(repr=False)
    """For the page after this line."""


_Read = Callable[[ClientStore], Iterable[Listed]]


class ContactList:
    """A client's contacts as a list, as `client.contact_list`.

    Pages of the list, and what the user chose for each line. Names as in `Client`; raises `NoSuchContact`.

    A page costs what its lines cost, however many contacts and texts there are.
    """

    def __init__(self, running: RunningClient) -> None:
        """For `Client`."""
        self._running = running

    def page(
        self,
        consents: Collection[Consent],
        *,
        archived: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[ListedContact]:
        """Contacts with one of these consents: pinned ones first, then those with the newest messages.

        `archived` True: only those; False: none of them. To page, give the `place` of the last line as `after`.
        Raises `SettingsError` for anything else there.
        """
        place = None if after is None else _place(after)
        return self._views(lambda store: store.listing.page(consents, limit, place, archived=archived))

    def one(self, name: str) -> ListedContact:
        """The line of one contact."""
        name = canonical(name)
        for view in self._views(lambda store: [] if (found := store.listing.one(name)) is None else [found]):
            return view
        raise NoSuchContact

    def find(self, words: str, limit: int = 20) -> list[ListedContact]:
        """Accepted contacts and requests whose name or nickname contains this, without regard to ASCII capitals."""
        return self._views(lambda store: store.listing.find(words, limit))

    def counts(self, limit: int = 1000) -> dict[tuple[Consent, bool], int]:
        """How many there are by consent and whether they are archived; each counted up to `limit`."""
        return self._running.read(lambda store: store.listing.counts(limit))

    def unread(self, limit: int = 1000) -> int:
        """How many texts and files of contacts who are not muted were not marked as read; counted up to `limit`."""
        return self._running.read(lambda store: store.listing.unread(limit))

    def mark_read(self, name: str, row: int) -> int:
        """Mark texts and files up to `row` as read, 10,000 at most; returns how many. The sender learns nothing."""
        name = canonical(name)

        def mark(store: ClientStore) -> int:
            with store.transaction():
                rows = store.listing.unread_rows(name, row, _READ_MAX)
                store.messages.mark_shown(rows, int(time.time()))
                return len(rows)

        return self._running.read(mark)

    def set(
        self,
        name: str,
        *,
        nickname: str | None = None,
        is_muted: bool | None = None,
        is_pinned: bool | None = None,
        is_archived: bool | None = None,
    ) -> None:
        """Keep what the user chose, in this home only; None leaves a choice as it is.

        Raises `SettingsError` for a nickname of more than 64 characters.
        """
        name = canonical(name)
        if nickname is not None and len(nickname) > NICKNAME_LETTERS_MAX:
            raise SettingsError(f"a nickname has at most {NICKNAME_LETTERS_MAX} characters")
        known = self._running.read(
            lambda store: store.listing.set(
                name, nickname=nickname, is_muted=is_muted, is_pinned=is_pinned, is_archived=is_archived
            )
        )
        if not known:
            raise NoSuchContact

    def draft(self, name: str) -> str:
        """What the user was writing to a contact; empty for nothing."""
        name = canonical(name)
        return self._running.read(lambda store: store.listing.draft(name))

    def set_draft(self, name: str, text: str) -> None:
        """Keep what the user is writing. Raises `SettingsError` for more than 131,072 characters."""
        name = canonical(name)
        if len(text) > DRAFT_LETTERS_MAX:
            raise SettingsError(f"a draft has at most {DRAFT_LETTERS_MAX} characters")
        if not self._running.read(lambda store: store.listing.set_draft(name, text)):
            raise NoSuchContact

    def _views(self, read: _Read) -> list[ListedContact]:
        lines, promised = self._running.read(lambda store: (list(read(store)), store.promises.open_ones()))
        return [
            ListedContact(
                contact_view(line.contact, promised, self._running.user), line.nickname, line.is_muted, line.is_pinned,
                line.is_archived, line.last_row, line.has_draft, line.unread, _shown(line.last),
                msgspec.json.encode(line.place).decode(),
            )
            for line in lines
        ]  # fmt: skip


def _shown(last: LastText | None) -> LastText | None:
    """A file's name is its sender's: it is made safe before anyone sees it."""
    return replace(last, beginning=safe_name(last.beginning)) if last is not None and last.is_file else last


def _place(text: str) -> Place:
    try:
        return msgspec.json.decode(text, type=Place)
    except ValueError:
        raise SettingsError("this is no place in the list") from None
