"""What stands in a conversation, its files among its texts: behind `Client.entries`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

from usernym.actors.messages import PayloadKind
from usernym.errors import NoSuchMessage
from usernym.protocol.names import canonical
from usernym.running import RunningClient
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import DeliveryState, Direction, Message
from usernym.transfers import FileView, file_view
from usernym.views import MessageView, message_view


@dataclass(frozen=True, slots=True)
class ConversationEntry:
    """A text, or a file at the place of its offer."""

    message: MessageView
    """The text. Of a file: its offer, whose `text` is the file's name as it is shown."""
    file: FileView | None
    """None: it is a text."""


class Entries:
    """A client's conversations with the files among the texts, as `client.entries`: in the order of
    `Client.conversation`. Names, errors: as in `Client`."""

    def __init__(self, running: RunningClient) -> None:
        """For `Client`."""
        self._running = running

    def page(
        self, name: str, limit: int = 100, before: int | None = None, *, after: int | None = None
    ) -> list[ConversationEntry]:
        """The last `limit` entries with a contact, the oldest first; none for a stranger.

        With `before` (the row of an entry) those before that one; with `after` the first ones behind that one.
        """
        name = canonical(name)

        def read(store: ClientStore) -> list[ConversationEntry]:
            history = store.history
            found = [
                history.of_kind(name, kind, limit, before)
                if after is None
                else history.of_kind_after(name, kind, limit, after)
                for kind in (PayloadKind.TEXT, PayloadKind.FILE_OFFER)
            ]
            ordered = sorted(chain(*found), key=lambda row: (row.place, row.counter, row.id))
            return _entries(store, ordered[-limit:] if after is None else ordered[:limit])

        return self._running.read(read)

    def one(self, name: str, message_id: str, *, outgoing: bool) -> ConversationEntry:
        """The entry with this id, 32 hexadecimal digits; `outgoing`: the user's own. Raises `NoSuchMessage`."""
        wanted = bytes.fromhex(message_id)
        name, direction = canonical(name), Direction.OUT if outgoing else Direction.IN

        def read(store: ClientStore) -> list[ConversationEntry]:
            found = store.messages.get(name, wanted, direction)
            return [] if found is None else _entries(store, [found])

        for entry in self._running.read(read):
            return entry
        raise NoSuchMessage

    def waiting(self, name: str) -> list[MessageView]:
        """The texts to a contact that wait here to be sent, in the order in which they were written."""
        name = canonical(name)

        def read(store: ClientStore) -> list[ConversationEntry]:
            ours = (store.messages.get(name, row.message_id, Direction.OUT) for row in store.messages.outbox_of(name))
            return _entries(store, [row for row in ours if row is not None and row.state is DeliveryState.WAITING])

        return [entry.message for entry in self._running.read(read) if entry.file is None]

    def files_at(self, rows: Iterable[int]) -> list[FileView]:
        """The files among the entries with these rows."""
        wanted = list(rows)
        return self._running.read(
            lambda store: [
                entry.file
                for entry in _entries(store, store.history.of_rows(wanted, PayloadKind.FILE_OFFER))
                if entry.file is not None
            ]
        )


def _entries(store: ClientStore, rows: Iterable[Message]) -> list[ConversationEntry]:
    shown = [row for row in rows if row.kind in (PayloadKind.TEXT, PayloadKind.FILE_OFFER)]
    gaps = {name: store.gaps.of(name) for name in {row.contact for row in shown}}
    entries = []
    for row in shown:
        message, view = message_view(row, gaps[row.contact]), None
        if row.kind == PayloadKind.FILE_OFFER:
            stored = store.files.get(row.contact, row.message_id, row.direction)
            if stored is None:
                continue  # erased since it was read
            view = file_view(store, stored)
            message = replace(message, text=view.name)
        entries.append(ConversationEntry(message, view))
    return entries
