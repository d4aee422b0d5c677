"""What changed, for all windows: each event is read from the client once, and only what it concerns.

Events only note what is to be read again; so a thousand of them about one person are one reading.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from usernym import (
    Client,
    Consent,
    ContactChanged,
    DeliveryChanged,
    DirectoryChanged,
    DirectSilent,
    Event,
    FileChanged,
    FileState,
    GraphFailed,
    HandshakeChanged,
    IdentityChanged,
    MessageArrived,
    NoSuchContact,
    NoSuchMessage,
    StorageError,
    TextsErased,
)
from usernym.chat.deletions import Deletion, Deletions
from usernym.chat.person import Person, Stage
from usernym.chat.shown import LISTS, contact_line, text_view
from usernym.chat.windows import Window, Windows
from usernym.chat.wire import (
    ArrivedWire,
    ConnectionWire,
    ContactChangedWire,
    ContactGoneWire,
    ContactLine,
    HomeWire,
    TextChangedWire,
    TextsGoneWire,
    TotalsWire,
    WarningsWire,
)
from usernym.contact_list import ListedContact
from usernym.entries import ConversationEntry
from usernym.explain import explain

COUNTED_MAX: Final = 1_000
"""Unread texts and waiting requests that are counted one by one; more than a person reads in a day."""
TEXTS_TOLD_MAX: Final = 200
"""Changed texts of a conversation that are sent one by one; with more, windows read it again."""
ARRIVALS_MAX: Final = 50
"""Texts that came at once and are announced one by one."""
PAUSE_S: Final = 0.03
"""Between two readings: what comes in a burst is read once."""

_SCREENS: Final = {
    Stage.NETWORK: "network",
    Stage.NEW: "new",
    Stage.LOCKED: "locked",
    Stage.UNREGISTERED: "unregistered",
    Stage.READY: "main",
    Stage.ENDED: "stopped",
}


class News:
    """Listens to the person's client, and tells the windows."""

    def __init__(self, person: Person, windows: Windows) -> None:
        self._person = person
        self._windows = windows
        self.deletions = Deletions(self._erase)
        self._contacts: set[str] = set()
        self._texts: dict[str, set[tuple[str, bool]]] = {}
        """By conversation: message ids, and whether they are the user's own."""
        self._arrivals: list[tuple[str, str]] = []
        """Senders, and ids of what came."""
        self._something = asyncio.Event()
        self._told: TotalsWire | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._stop = person.listen(self._on_event)

    async def close(self) -> None:
        """Delete what is to be deleted, and stop."""
        self._stop()
        await self.deletions.finish()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    # -- what is so now --

    def begin(self, window: Window) -> None:
        """Tell a new window what is shown now."""
        window.tell(self._home())
        window.tell(self._connection())
        window.tell(self._warnings())
        if self._told is not None and self._person.stage is Stage.READY:
            window.tell(self._told)
        self._something.set()

    def _home(self) -> HomeWire:
        person, known = self._person, self._person.known
        asks_where = person.stage in (Stage.NETWORK, Stage.NEW)
        return HomeWire(
            screen=_SCREENS[person.stage],  # type: ignore[arg-type]  # one of these
            name="" if known is None else known.name,
            busy=person.busy,
            has_words=bool(person.words),
            deleted=known is not None and known.deleted,
            can_change_network=person.can_change_network,
            node_card=(asks_where and person.node) or "",
            mixnet=(asks_where and person.mixnet) or "",
            emulated=person.emulated,
            problem=person.problem,
        )

    def _connection(self) -> ConnectionWire:
        if self._person.online:
            return ConnectionWire(state="connected")
        problem = self._person.offline
        return ConnectionWire(state="connecting" if problem is None else "offline", problem=problem)

    def _warnings(self) -> WarningsWire:
        person = self._person
        return WarningsWire(
            caught=list(person.caught),  # type: ignore[arg-type]  # the names of `Fault`
            doubted_since=person.doubted_since,
            unwitnessed_since=person.unwitnessed_since,
            stalled_since=person.stalled_since,
            node_moved=person.node_moved,
        )

    # -- what happens --

    def _on_event(self, event: Event | None) -> None:
        match event:
            case MessageArrived(message_id, sender):
                self._note_arrival(sender, message_id.hex())
            case FileChanged(message_id, contact, False, FileState.OFFERED):
                self._note_arrival(contact, message_id.hex())
            case FileChanged(message_id, contact, outgoing):
                self.note_text(contact, message_id.hex(), mine=outgoing)
            case DeliveryChanged(message_id, recipient, is_text=True):
                self.note_text(recipient, message_id.hex(), mine=True)
            case DeliveryChanged(_, recipient):
                self.note_contact(recipient)
            case TextsErased(name):
                self._windows.tell(TextsGoneWire(name=name, rows=None), only_open=name)
                self.note_contact(name)
            case HandshakeChanged(name) | DirectSilent(name) | ContactChanged(name) | IdentityChanged(name):
                self.note_contact(name)
            case DirectoryChanged(name):
                self.note_contact(name)
            case None:
                self._windows.tell(self._home())
                self._windows.tell(self._connection())
            case _:  # the connection, or what the node did
                self._windows.tell(self._connection())
                self._windows.tell(self._warnings())

    def note_contact(self, name: str) -> None:
        """This person's line is to be read again."""
        self._contacts.add(name)
        self._something.set()

    def note_text(self, name: str, message_id: str, *, mine: bool) -> None:
        """This text, and its writer's or reader's line, is to be read again."""
        self.note_contact(name)
        texts = self._texts.setdefault(name, set())
        if len(texts) <= TEXTS_TOLD_MAX:
            texts.add((message_id, mine))

    def _note_arrival(self, sender: str, message_id: str) -> None:
        self.note_text(sender, message_id, mine=False)
        if len(self._arrivals) < ARRIVALS_MAX:
            self._arrivals.append((sender, message_id))

    def line(self, listed: ListedContact) -> ContactLine:
        """A line as it is shown now."""
        last = listed.last
        return contact_line(listed, hide_last=last is not None and self.deletions.hides(listed.contact.name, last.row))

    # -- reading, and telling --

    async def _run(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            try:
                await self._tell_all()
            except (GraphFailed, RuntimeError, StorageError):
                pass  # closed, or locked: another screen comes
            except Exception as error:  # noqa: BLE001 - the log has it, and the next change is still sent
                explain(error)
            await asyncio.sleep(PAUSE_S)

    async def _tell_all(self) -> None:
        contacts, texts, arrivals = self._contacts, self._texts, self._arrivals
        self._contacts, self._texts, self._arrivals = set(), {}, []
        if self._person.stage is not Stage.READY:
            return
        client, run = self._person.client, self._person.run
        for name in contacts:
            line = await run(_line_of, client, name)
            told = ContactGoneWire(name=name) if line is None else ContactChangedWire(contact=self.line(line))
            self._windows.tell(told)
        for name, ids in texts.items():
            if not self._windows.is_open(name):
                continue
            if len(ids) > TEXTS_TOLD_MAX:
                self._windows.tell(TextsGoneWire(name=name, rows=None), only_open=name)
                continue
            for entry in await run(_entries_of, client, name, ids):
                if not self.deletions.hides(name, entry.message.row):
                    self._windows.tell(TextChangedWire(name=name, text=text_view(entry)), only_open=name)
        for sender, message_id in arrivals:
            await self._announce(client, sender, message_id)
        totals = await run(_totals_of, client)
        if totals != self._told:
            self._told = totals
            self._windows.tell(totals)

    async def _announce(self, client: Client, sender: str, message_id: str) -> None:
        line = await self._person.run(_line_of, client, sender)
        entries = await self._person.run(_entries_of, client, sender, {(message_id, False)})
        if line is None or not entries or line.contact.state not in (Consent.ACCEPTED, Consent.PENDING):
            return
        (entry,) = entries
        self._windows.tell(
            ArrivedWire(
                name=sender,
                row=entry.message.row,
                request=line.contact.state is Consent.PENDING,
                muted=line.is_muted,
                file=entry.file is not None,
            )
        )

    async def _erase(self, deletion: Deletion) -> None:
        client, run = self._person.client, self._person.run
        rows = deletion.rows
        if rows is None:
            rows = frozenset(await run(_rows_of, client, deletion))
        for file in await run(client.entries.files_at, rows):
            await run(client.files.erase, file.contact, file.file_id)
        await run(client.erase, sorted(rows))


def _line_of(client: Client, name: str) -> ListedContact | None:
    try:
        return client.contact_list.one(name)
    except NoSuchContact:
        return None


def _entries_of(client: Client, name: str, ids: set[tuple[str, bool]]) -> list[ConversationEntry]:
    found = []
    for message_id, mine in ids:
        with contextlib.suppress(NoSuchMessage):
            found.append(client.entries.one(name, message_id, outgoing=mine))
    return sorted(found, key=lambda entry: entry.message.row)


def _rows_of(client: Client, deletion: Deletion) -> list[int]:
    """The rows of all texts and files of a conversation that are to be deleted."""
    rows: list[int] = []
    before = deletion.last + 1
    while page := client.entries.page(deletion.name, 1_000, before):
        rows += [entry.message.row for entry in page]
        before = page[0].message.row
    return rows


def _totals_of(client: Client) -> TotalsWire:
    counts = client.contact_list.counts(COUNTED_MAX)
    refused = LISTS["refused"][0]
    return TotalsWire(
        unread=client.contact_list.unread(COUNTED_MAX),
        requests=counts[Consent.PENDING, False],
        archived=counts[Consent.ACCEPTED, True],
        refused=sum(count for (consent, _), count in counts.items() if consent in refused),
    )
