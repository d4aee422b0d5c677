"""A user's screen, as the runs have it: it shows a text when the client reports it; after a restart it first shows what
the store says was not shown yet. Showing a text and noting that it was shown are one step, whatever dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usernym.actors.events import DeliveryChanged, Event, FileChanged, IdentityChanged, MessageArrived, NodeCaught
from usernym.actors.messages import PayloadKind
from usernym.protocol.errors import Code
from usernym.storage.client.types import Direction, FileState, Message

if TYPE_CHECKING:
    from usernym.testing.run import Run
    from usernym.testing.world import SimClient

SCREEN_ROWS: Final = 100_000
"""Rows of a conversation that a screen shows: all."""
_READ: Final = (PayloadKind.TEXT, PayloadKind.FILE_OFFER)


class ReadingScreen:
    """What a user of a run looks at, and what they do when they start their client: go online."""

    def __init__(self, run: Run, client: SimClient) -> None:
        self._run = run
        self._client = client

    def started(self) -> None:
        """Show what the store says was not shown, then go online."""
        client, run = self._client, self._run
        if client.deaths:
            with client.without_faults():
                run.mark_shown(client)
                unread = client.store.messages.unshown(SCREEN_ROWS, {PayloadKind.TEXT})
                own = self.own_texts()
            for row in unread:
                run.show(client, row.contact, row.body.decode(), row.message_id, row.counter)
            self._read(own)
            self._look_at_files()
            client.connect()

    def own_texts(self) -> list[Message]:
        """What the user wrote, as the conversations have it."""
        store = self._client.store
        return [
            row
            for contact in store.contacts.all()
            for row in store.messages.conversation(contact.name, SCREEN_ROWS)
            if row.direction is Direction.OUT and row.kind == PayloadKind.TEXT
        ]

    def read_conversations(self) -> None:
        """Look how far the user's own texts and files have come, in which order others' texts stand, and at files that
        the client did not report: its disk may have failed just then."""
        self._read(self.own_texts())
        store = self._client.store
        for contact in store.contacts.all():
            rows = store.messages.conversation(contact.name, SCREEN_ROWS)
            came = [(row.counter, row.late) for row in rows if row.direction is Direction.IN and row.kind in _READ]
            if contact.name not in self._run.oracle.hostile:
                self._run.oracle.stands(self._client.name, contact.name, came)
        self._look_at_files()

    def _look_at_files(self) -> None:
        client, run = self._client, self._run
        with client.without_faults():
            files = client.store.files.page(None, SCREEN_ROWS)
            sent = [(file, client.store.files.content(file)) for file in files if file.direction is Direction.OUT]
        for file in files:
            if file.direction is Direction.IN:
                run.show_file(client, file.contact, file.message_id)
        for file, content in sent:
            if file.message_id not in run.oracle.files.by_id:
                run.oracle.files.took(content, file.message_id)
            run.oracle.files.told(client.name, file.message_id, file.state.value)

    def _read(self, rows: list[Message]) -> None:
        """A text that the client took, but died before it said so, is found there too."""
        oracle, now = self._run.oracle, self._run.world.sim.now()
        for row in rows:
            text = oracle.texts.get(row.body.decode())
            if text is not None and text.message_id is None:
                oracle.took(text.content, row.message_id)
            reason = None if row.reason is None else Code(row.reason).name.lower()
            oracle.told(self._client.name, row.message_id, row.state.name.lower(), reason, now)

    def happened(self, event: Event) -> None:
        oracle, name, now = self._run.oracle, self._client.name, self._run.world.sim.now()
        match event:
            case MessageArrived():
                self._run.show(self._client, event.sender, event.text, event.message_id, event.counter)
            case DeliveryChanged():
                reason = None if event.reason is None else event.reason.name.lower()
                oracle.told(name, event.message_id, event.state, reason, now)
            case FileChanged(message_id, contact, outgoing=True, state=state):
                oracle.files.told(name, message_id, state.value)
            case FileChanged(message_id, contact, state=FileState.COMPLETE):
                self._run.show_file(self._client, contact, message_id)
            case NodeCaught():
                oracle.warned(name, f"the node was caught: {event.what}")
            case IdentityChanged(contact):
                self._run.watch.identity_changed(name, contact)
