"""Files: offered, wanted, sent in chunks, put together, ended by either side. A part of the forwarding actor.

docs/protocol.md, "Files". Each message about a file is one like any other: it waits in the outbox, is sealed,
sent, acknowledged and taken once. This part decides which are sent, and what it means when one has arrived. Where each
file stands is on disk, in the commit that moves it; nothing in memory is needed to continue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from usernym.actors.events import FileChanged
from usernym.actors.forwarding.file_rules import (
    ENDS_UNSETTLED_MAX,
    KEPT_OF_ONE_MAX,
    SLOW_S,
    STALLED_S,
    WINDOW_DIRECT,
    WINDOW_NODE,
    is_doubtful,
    room_to_come,
    to_hand_out,
)
from usernym.actors.forwarding.host import Host
from usernym.actors.forwarding.outbox import Outbox, goes_direct
from usernym.actors.messages import FILE_KINDS, PayloadKind, RouteDoubted, SendFile
from usernym.protocol import payloads as p
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.files import check_chunk, chunks_of, cut, digest_of, is_whole
from usernym.storage.client.files import body_of, named_in
from usernym.storage.client.types import Consent, Contact, DeliveryState, Direction, FileState, Message, StoredFile

ALL_FILES: Final = 100_000
"""More than any home has; they are looked through one by one."""
REFUSED_MAX: Final = 256
"""Files that this process has called ended to their other sides, since they are unknown here."""


class FileTransfers:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, host: Host, outbox: Outbox) -> None:
        self._host = host
        self._context = host.context
        self._store = host.context.store
        self._files = host.context.store.files
        self._outbox = outbox
        self._refused: dict[tuple[str, bytes], None] = {}
        self._looked_at = host.context.runtime.unix_s()
        """When it was last looked for files that have become quiet."""

    # -- the user --

    def offer(self, contact: Contact, command: SendFile) -> bytes:
        """Put a file and its offer on disk; the id of both."""

        def keep(message_id: bytes) -> None:
            content = command.content
            self._files.add(
                contact.name,
                Direction.OUT,
                message_id,
                name=command.name,
                size=len(content),
                kind=command.kind,
                digest=digest_of(content),
                now=self._context.runtime.unix_s(),
                chunks=cut(content),
            )

        return self._outbox.enqueue(contact, PayloadKind.FILE_OFFER, command.name.encode(), also=keep)

    def end(self, name: str, message_id: bytes | None, *, erase: bool) -> int:
        """Send or receive a file, or all with a contact, no more, and let the other side know; with `erase` keep
        nothing of it. How many files that were."""
        if message_id is None:
            return self._end(name, self._files.page(name, ALL_FILES), erase=erase)
        found = [self._files.get(name, message_id, direction) for direction in Direction]
        return self._end(name, [file for file in found if file is not None], erase=erase)

    def erase_old(self, name: str, until: int) -> int:
        """Erase the files with a contact of which nothing has moved since `until` (Unix seconds), and none waits to."""
        files = self._files.page(name, ALL_FILES)
        return self._end(name, [file for file in files if file.state.is_final and file.moved_at <= until], erase=True)

    def _end(self, name: str, files: Sequence[StoredFile], *, erase: bool) -> int:
        contact = self._store.contacts.get(name)
        ended = []
        with self._store.transaction():
            for file in files:
                if contact is None or (file.state.is_final and not erase):
                    continue
                if not file.state.is_final:
                    self._stop(file, FileState.CANCELLED)
                    self._say(contact, PayloadKind.FILE_ENDED, file.message_id)
                if erase:
                    self._erase(file)
                ended.append(file)
        for file in ended:
            self._report(file)
        if ended:
            self._outbox.flush()
            self.want_more()
        return len(ended)

    # -- what arrives; the first in the commit that remembers the message --

    def take_offer(self, contact: str, message_id: bytes, offer: p.FileOffer) -> None:
        """Keep an offer. It is asked for by `want_more`."""
        self._files.add(
            contact,
            Direction.IN,
            message_id,
            name=offer.name,
            size=offer.size,
            kind=offer.kind,
            digest=offer.digest,
            now=self._context.runtime.unix_s(),
        )

    def offered(self, contact: str, message_id: bytes) -> None:
        """An offer is on disk: report it, and ask for it if it may come."""
        file = self._files.get(contact, message_id, Direction.IN)
        if file is not None:
            self._report(file)
        self.go_on()

    def expects(self, contact: str, said: p.FilePassing) -> bool:
        """Whether this is about a file that is there and not over. An end is always taken: there is nothing to do."""
        match said:
            case p.FileEnded():
                return True
            case p.FileWanted(file=message_id):
                file = self._files.get(contact, message_id, Direction.OUT)
            case p.FileChunk(file=message_id):
                file = self._files.get(contact, message_id, Direction.IN)
                if file is not None and file.state is FileState.OFFERED:
                    return False  # not asked for
        return file is not None and not file.state.is_final

    def take(self, contact: Contact, said: p.FilePassing) -> list[StoredFile]:
        """Do what someone says about a file; the files that it is about."""
        ways = {p.FileWanted: [Direction.OUT], p.FileChunk: [Direction.IN], p.FileEnded: [Direction.OUT, Direction.IN]}
        found = [self._files.get(contact.name, said.file, direction) for direction in ways[type(said)]]
        files = [file for file in found if file is not None and not file.state.is_final]
        for file in files:
            match said:
                case p.FileWanted():
                    self._files.move(file, FileState.UNDER_WAY, self._context.runtime.unix_s())
                case p.FileChunk(number=number, content=content):
                    self._take_chunk(contact, file, number, content)
                case p.FileEnded():
                    self._stop(file, FileState.ENDED)
        return files

    def taken(self, files: list[StoredFile]) -> None:
        """What `take` did is on disk: report it, and continue."""
        for file in files:
            self._report(file)
        self.go_on()

    def lose(self, contact: Contact, chunk: p.FileChunk) -> None:
        """A chunk is remembered, and was not kept, since its sender is blocked: the file can't become whole."""
        file = self._files.get(contact.name, chunk.file, Direction.IN)
        if file is not None and not file.state.is_final:
            self._stop(file, FileState.CANCELLED)

    def refuse(self, contact: Contact, said: p.FilePassing) -> None:
        """Let the other side know that there is no such file here: it would wait forever."""
        one = (contact.name, said.file)
        if self._store.contacts.get(contact.name) is None:
            return  # a stranger becomes a contact by what is kept of them, and learns nothing before
        if contact.consent is Consent.ACCEPTED and one not in self._refused:
            if len(self._refused) >= REFUSED_MAX:
                del self._refused[next(iter(self._refused))]
            self._refused[one] = None
            self._say(contact, PayloadKind.FILE_ENDED, said.file)
            self._outbox.flush()

    def _take_chunk(self, contact: Contact, file: StoredFile, number: int, content: bytes) -> None:
        now = self._context.runtime.unix_s()
        try:
            check_chunk(file.size, number, content)
        except RemoteProtocolError as error:
            self._host.refuse(error)
            whole = False
        else:
            if self._files.take_chunk(file, number, content, now) < chunks_of(file.size):
                return
            whole = is_whole(self._files.content(file), file.size, file.digest)
        if whole:
            self._files.move(file, FileState.COMPLETE, now)
        else:
            self._stop(file, FileState.DAMAGED)
            self._say(contact, PayloadKind.FILE_ENDED, file.message_id)

    # -- the fate of what was sent --

    def settle(self, message: Message, state: DeliveryState) -> None:
        """A message about a file has got further; its fate moves the file, in the same commit."""
        contact = self._store.contacts.get(message.contact)
        named = message.message_id if message.kind == PayloadKind.FILE_OFFER else named_in(message.body)[0]
        asked_for = message.kind == PayloadKind.FILE_WANTED
        file = self._files.get(message.contact, named, Direction.IN if asked_for else Direction.OUT)
        with self._store.transaction():
            if not self._store.messages.advance(message.contact, message.message_id, state) or not state.is_final:
                return
            if message.kind != PayloadKind.FILE_OFFER:
                self._files.forget_passed(message.contact, message.message_id)
            if file is None or file.state.is_final or contact is None:
                return
            arrived = state is DeliveryState.DELIVERED
            if message.kind == PayloadKind.FILE_CHUNK and arrived:
                now = self._context.runtime.unix_s()
                if self._files.chunk_arrived(file, now) == chunks_of(file.size):
                    self._files.move(file, FileState.COMPLETE, now)
            elif message.kind != PayloadKind.FILE_ENDED and not arrived:
                # Also where the wish for it did not arrive: nothing of it would ever come.
                self._stop(file, FileState.FAILED)
                self._say(contact, PayloadKind.FILE_ENDED, file.message_id)
            else:
                return
        self._report(file)
        self._continue(file.contact, file.message_id)
        self._outbox.flush()

    # -- continuing --

    def go_on(self) -> None:
        """Send the chunks that may go, and ask for the files that may come."""
        for file in self._files.sending():
            self._continue(file.contact, file.message_id)
        self.want_more()
        self._outbox.flush()

    def on_tick(self) -> None:
        """Continue, and put the route in doubt if a file has become quiet since the last look. Mostly there is none."""
        before, self._looked_at = self._looked_at, self._context.runtime.unix_s()
        if not self._files.any_open():
            self._outbox.flush()
            return
        self.go_on()
        if any(is_doubtful(moved_at, before, self._looked_at) for moved_at in self._files.last_moves()):
            self._host.registration.tell(RouteDoubted())

    def want_more(self) -> None:
        """Ask for files that contacts have offered, as far as there is room: each contact has their turn."""
        now = self._context.runtime.unix_s()
        while room := room_to_come(coming=self._files.coming(now, STALLED_S, SLOW_S), kept=self._files.kept_bytes()):
            file = self._files.to_want(room, KEPT_OF_ONE_MAX)
            contact = None if file is None else self._store.contacts.get(file.contact)
            if file is None or contact is None:
                return
            with self._store.transaction():
                self._files.want(file, now)
                self._say(contact, PayloadKind.FILE_WANTED, file.message_id)
            self._report(file)

    def _continue(self, name: str, message_id: bytes) -> None:
        """Hand the outbox as many of a file's chunks as its window allows: they and the place are one commit."""
        file, contact = self._files.get(name, message_id, Direction.OUT), self._store.contacts.get(name)
        if file is None or contact is None or file.state is not FileState.UNDER_WAY:
            return
        if contact.consent is not Consent.ACCEPTED:
            return
        direct = goes_direct(contact, self._context.runtime.unix_s())
        window = WINDOW_DIRECT if direct else WINDOW_NODE
        numbers = to_hand_out(chunks_of(file.size), file.next, self._files.on_their_way(file), window)
        if numbers:
            with self._store.transaction():
                for number in numbers:
                    self._say(contact, PayloadKind.FILE_CHUNK, message_id, number)
                self._files.set_next(file, numbers.stop)

    def _stop(self, file: StoredFile, state: FileState) -> None:
        """End a file: nothing waits for it any more, and of what came nothing stays."""
        self._files.move(file, state, self._context.runtime.unix_s())
        self._files.end_passing(file)
        if file.direction is Direction.IN:
            self._files.erase_chunks(file)

    def _erase(self, file: StoredFile) -> None:
        """Keep nothing of a file and its offer: what the user wrote is gone, and of what came the place stays."""
        self._files.erase(file)
        offer = self._store.messages.get(file.contact, file.message_id, file.direction)
        if offer is not None:
            self._store.history.erase([offer.id], PayloadKind.FILE_OFFER)

    def _say(self, contact: Contact, kind: PayloadKind, message_id: bytes, number: int = 0) -> None:
        """Queue a message about a file; only to those whom the user has accepted: no one else learns anything."""
        is_enough = kind is PayloadKind.FILE_ENDED and self._files.ends_unsettled(contact.name) >= ENDS_UNSETTLED_MAX
        if contact.consent is Consent.ACCEPTED and not is_enough:
            self._outbox.enqueue(contact, kind, body_of(message_id, number))

    def _report(self, before: StoredFile) -> None:
        """Report how far a file is now."""
        file = self._files.get(before.contact, before.message_id, before.direction)
        state, done = (before.state, before.done) if file is None else (file.state, file.done)
        done_bytes = before.size if state is FileState.COMPLETE else min(done * p.CHUNK_BYTES, before.size)
        outgoing = before.direction is Direction.OUT
        self._context.on_event(
            FileChanged(before.message_id, before.contact, outgoing, state, done_bytes, before.size, file is None)
        )


assert {kind for kind in PayloadKind if kind.name.startswith("FILE_")} == set(FILE_KINDS)
