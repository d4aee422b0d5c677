"""Files and pictures of a client: its handle `Client.files`, and what that shows."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal

from usernym.actors import messages as msg
from usernym.actors.events import FileChanged
from usernym.actors.failures import FileUnfit
from usernym.errors import NoSuchFile, NotReady
from usernym.pictures import Picture, looks_like_picture, redrawn
from usernym.protocol.files import PICTURE, PLAIN_FILE, is_whole, safe_name
from usernym.protocol.limits import FILE_BYTES_MAX
from usernym.protocol.names import canonical
from usernym.protocol.payloads import CHUNK_BYTES
from usernym.running import RunningClient
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Direction, FileState, StoredFile
from usernym.views import directions, id_bytes

FileWait = Literal["queued", "complete"]
"""How far a file must have got before `Transfers.send` returns: on disk here, or all of it at its recipient."""
TIMEOUT_S: Final = 900.0
"""The default `timeout` of `Transfers.send`: several times what 10 MiB take at Nym's 50 packets a second."""
END_TIMEOUT_S: Final = 60.0
"""The default `timeout` of what cancels or erases: only this client's own actors are asked."""
SAVE_TRIES: Final = 1000
"""Names that are tried where a file of the same name is there already."""

_STORING_S_MIN: Final = 1.0
"""For storing the file, when looking its recipient up took nearly all the time."""


@dataclass(frozen=True, slots=True)
class FileView:
    """A file that was offered, by the user or to the user."""

    row: int
    """Its place among the texts of the conversation: that of its offer, as `MessageView.row`; 0 if it has none."""
    place: int
    """Its place among all files: for `Transfers.page(before=…)`."""
    file_id: str
    """32 hexadecimal digits."""
    contact: str
    """The other side's name, in canonical form."""
    outgoing: bool
    """Whether it is the user's own."""
    name: str = field(repr=False)
    """What its sender called it, made safe: a file's name, never a path."""
    is_picture: bool
    """Whether its sender calls it a picture. `Transfers.picture` finds out."""
    size: int
    """Bytes, 1 to 10 MiB."""
    done: int
    """Bytes that are at its recipient, as far as is known here."""
    state: FileState
    """Only of a file that is `COMPLETE` anything can be read, if it is not the user's own."""
    offered_at: int
    """When it was stored here (Unix seconds)."""
    read: bool
    """Whether a file that came was marked as read; True for the user's own."""


class Transfers:
    """A client's files, as `client.files`: `client.files.send("bob", "report.pdf")`.

    A file is named by its contact and its id. Between the two files of one id, one that the user sent and one that
    came, `outgoing` decides: the user's own (True) or theirs (False); None: either, the user's own first. What is not
    there raises `NoSuchFile`. What else these methods raise, and what `timeout` means: `Client`.
    """

    def __init__(self, running: RunningClient) -> None:
        """For `Client`."""
        self._running = running

    def send(
        self,
        name: str,
        file: str | os.PathLike[str] | bytes,
        *,
        called: str | None = None,
        redraw: bool = True,
        wait: FileWait = "complete",
        timeout: float = TIMEOUT_S,
    ) -> FileView:
        """Send a file of 1 byte to 10 MiB: its path, or its bytes. Looks its recipient up if they are not a contact.

        A picture (JPEG, PNG, GIF or WebP) is redrawn: without metadata, upright, at most 4,096 pixels wide or high,
        of a moving one the first. With `redraw=False` it leaves as it is; all other files do. `called` is its name for
        the recipient, made safe; without it, that of the path. From the moment it is on disk here it continues, also
        after `NotReady` and after a restart, whenever both sides are online. Returns early if it fails: look at
        `FileView.state`. Raises `FileUnfit`, `PictureUnfit` or `PicturesMissing`, and what `Client.look_up` raises.
        """
        end, name = time.monotonic() + timeout, canonical(name)
        content = file if isinstance(file, bytes) else _read(Path(file))
        called = called or ("file" if isinstance(file, bytes) else Path(file).name)
        content, called, kind = _prepared(content, called, redraw=redraw)
        if self._running.read(lambda store: store.contacts.get(name)) is None:
            find = partial(msg.FindContact, name)
            self._running.ask(self._running.actors.lookup, find, timeout, "looking the recipient up")
        offer = partial(msg.SendFile, name, called, kind, content)
        with self._running.events.subscribe() as events:
            left = max(_STORING_S_MIN, end - time.monotonic())
            message_id = self._running.ask(self._running.actors.forwarding, offer, left, "storing the file").hex()
            while True:
                view = self.get(name, message_id, outgoing=True)
                if wait == "queued" or view.state.is_final:
                    return view
                if (left := end - time.monotonic()) <= 0:
                    raise NotReady(
                        f"{view.done:,} of {view.size:,} bytes of the file are at {name}: it continues while this home"
                        " is online"
                    )
                events.wait_for(lambda event: isinstance(event, FileChanged), left)

    def page(self, name: str | None = None, limit: int = 100, before: FileView | int | None = None) -> list[FileView]:
        """The last `limit` files, with a contact or with all, the newest first; with `before` those before that one."""
        wanted = None if name is None else canonical(name)
        place = before.place if isinstance(before, FileView) else before
        return self._running.read(
            lambda store: [file_view(store, file) for file in store.files.page(wanted, limit, place)]
        )

    def get(self, name: str, file_id: str, *, outgoing: bool | None = None) -> FileView:
        """One file by its id of 32 hexadecimal digits. Raises `NoSuchFile`."""
        return self._running.read(lambda store: file_view(store, _stored(store, name, file_id, outgoing)))

    def content(self, name: str, file_id: str, *, outgoing: bool | None = None) -> bytes:
        """All bytes of a file, exactly as they were offered. Raises `NoSuchFile` while it is not whole."""

        def read(store: ClientStore) -> bytes:
            file = _stored(store, name, file_id, outgoing)
            content = store.files.content(file)
            is_here = file.direction is Direction.OUT or file.state is FileState.COMPLETE
            if not is_here or not is_whole(content, file.size, file.digest):
                raise NoSuchFile("this file is not here as a whole")
            return content

        return self._running.read(read)

    def picture(self, name: str, file_id: str, *, outgoing: bool | None = None) -> Picture:
        """A file as a picture that can be shown: redrawn from it, whatever it contains.

        Raises `NoSuchFile`, `PictureUnfit` or `PicturesMissing`.
        """
        return redrawn(self.content(name, file_id, outgoing=outgoing))

    def save(self, name: str, file_id: str, folder: str | os.PathLike[str], *, outgoing: bool | None = None) -> Path:
        """Write a whole file into a folder, and return its path; it stays in this home too.

        Its name is the sender's, made safe, or with a number if there is such a file: nothing is overwritten. Nothing
        opens it, and it is readable by its owner only. Raises `NoSuchFile` or `FileUnfit`.
        """
        view = self.get(name, file_id, outgoing=outgoing)
        return saved(self.content(name, file_id, outgoing=view.outgoing), Path(folder), view.name)

    def cancel(self, name: str, file_id: str, timeout: float = END_TIMEOUT_S) -> bool:
        """Send or receive a file no more; the other side learns it. False if it is over already.

        What came of a file that is not whole is erased. A file of someone who is not accepted is cancelled silently.
        """
        return end_files(self._running, canonical(name), _id(file_id), timeout, erase=False) > 0

    def erase(self, name: str, file_id: str, timeout: float = END_TIMEOUT_S) -> bool:
        """Erase a file in this home; one that is under way is cancelled. False if there is none.

        The contact keeps their copy, and does not learn it.
        """
        return end_files(self._running, canonical(name), _id(file_id), timeout, erase=True) > 0

    def mark_read(self, file: FileView) -> None:
        """Mark a file that came as read. The sender does not learn it."""
        self._running.read(lambda store: store.messages.mark_shown([file.row], int(time.time())))


def end_files(running: RunningClient, name: str, file_id: bytes | None, timeout: float, *, erase: bool) -> int:
    """Cancel or erase one file with a contact, or all of them if `file_id` is None. Returns how many ended."""
    end = partial(msg.EndFile, name, file_id, erase)
    ended: int = running.ask(running.actors.forwarding, end, timeout, "ending the file")
    if erase and ended:
        running.read(lambda store: store.empty_journal())
    return ended


def _id(digits: str) -> bytes:
    """The bytes of a file's id. Raises `NoSuchFile`."""
    wanted = id_bytes(digits)
    if wanted is None:
        raise NoSuchFile
    return wanted


def _stored(store: ClientStore, name: str, file_id: str, outgoing: bool | None) -> StoredFile:
    """The row of one file. Raises `NoSuchFile`."""
    name, wanted = canonical(name), _id(file_id)
    for direction in directions(outgoing):
        file = store.files.get(name, wanted, direction)
        if file is not None:
            return file
    raise NoSuchFile


def file_view(store: ClientStore, file: StoredFile) -> FileView:
    """A stored file as it is shown to the user."""
    offer = store.messages.get(file.contact, file.message_id, file.direction)
    outgoing = file.direction is Direction.OUT
    return FileView(
        0 if offer is None else offer.id,
        file.id,
        file.message_id.hex(),
        file.contact,
        outgoing,
        safe_name(file.name),
        file.kind == PICTURE,
        file.size,
        file.size if file.state is FileState.COMPLETE else min(file.done * CHUNK_BYTES, file.size),
        file.state,
        file.created_at,
        outgoing or (offer is not None and offer.shown),
    )


def _prepared(content: bytes, name: str, *, redraw: bool) -> tuple[bytes, str, int]:
    """What leaves: the bytes, the name and the kind of a file. A picture is redrawn if `redraw` says so."""
    if len(content) > FILE_BYTES_MAX or not content:
        raise FileUnfit(f"a file has 1 to {FILE_BYTES_MAX:,} bytes, not {len(content):,}")
    if not looks_like_picture(content):
        return content, safe_name(name), PLAIN_FILE
    if not redraw:
        return content, safe_name(name), PICTURE
    picture = redrawn(content)
    return picture.content, safe_name(Path(safe_name(name)).stem + picture.ending), PICTURE


def _read(path: Path) -> bytes:
    """The content of a file that is to be sent; no more than may be. Raises `FileUnfit`."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise FileUnfit(f"no file to send at {path}: {error.strerror}") from None


def saved(content: bytes, folder: Path, name: str) -> Path:
    """Write a file into a folder, under its name or the next one that is free; nothing is overwritten or followed.

    It is readable by its owner only, and nothing makes it a program. Raises `FileUnfit` if it can't be written; then
    nothing is left of it.
    """
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    for number in range(SAVE_TRIES):
        path = folder / (name if not number else f"{stem} ({number}){dot}{ending}")
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise FileUnfit(f"{folder} can't be written to: {error.strerror}") from None
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise FileUnfit(f"{path} can't be written: {error.strerror}") from None
        return path
    raise FileUnfit(f"{folder} has too many files of this name")
