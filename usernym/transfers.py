"""Files as a user has them: what is behind `Client.send_file`, `files`, `file_content`, `save_file` and the like."""

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
from usernym.pictures import looks_like_picture, redrawn
from usernym.protocol.files import PICTURE, PLAIN_FILE, is_whole, safe_name
from usernym.protocol.limits import FILE_BYTES_MAX
from usernym.protocol.payloads import CHUNK_BYTES
from usernym.running import RunningClient
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Direction, FileState, StoredFile

FileWait = Literal["queued", "complete"]
"""How far a file must have got before `Client.send_file` returns: on disk here, or all of it at its recipient."""
SAVE_TRIES: Final = 1000
"""Names that are tried where a file of the same name is there already."""


@dataclass(frozen=True, slots=True)
class FileView:
    """A file that was offered, by the user or to the user."""

    row: int
    """Its place among the texts of the conversation: that of its offer, as `MessageView.row`; 0 if it has none."""
    place: int
    """Its place among all files: for `Client.files(before=…)`."""
    file_id: str
    """32 hexadecimal digits."""
    contact: str
    """The other side's name, in canonical form."""
    outgoing: bool
    """Whether it is the user's own."""
    name: str = field(repr=False)
    """What its sender called it, made safe: a file's name, never a path."""
    is_picture: bool
    """Whether its sender calls it a picture. `Client.picture` finds out."""
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


def prepared(content: bytes, name: str, *, redraw: bool) -> tuple[bytes, str, int]:
    """What leaves: the bytes, the name and the kind of a file. A picture is redrawn if `redraw` says so."""
    if len(content) > FILE_BYTES_MAX or not content:
        raise FileUnfit(f"a file has 1 to {FILE_BYTES_MAX:,} bytes, not {len(content):,}")
    if not looks_like_picture(content):
        return content, safe_name(name), PLAIN_FILE
    if not redraw:
        return content, safe_name(name), PICTURE
    picture = redrawn(content)
    return picture.content, safe_name(Path(safe_name(name)).stem + picture.ending), PICTURE


def read_file(path: Path) -> bytes:
    """The content of a file that is to be sent; no more than may be. Raises `FileUnfit`."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise FileUnfit(f"no file to send at {path}: {error.strerror}") from None


def offer_file(
    running: RunningClient, name: str, content: bytes, called: str, kind: int, *, wait: FileWait, timeout: float
) -> FileView:
    """Offer a file to a contact, and follow it as far as `wait` says."""
    end = time.monotonic() + timeout
    offer = partial(msg.SendFile, name, called, kind, content)
    with running.events.subscribe() as events:
        message_id = running.ask(running.actors.forwarding, offer, timeout, "storing the file")
        while True:
            view = running.read(lambda store: view_of(store, name, message_id, outgoing=True))
            if wait == "queued" or view.state.is_final:
                return view
            left = end - time.monotonic()
            if left <= 0:
                raise NotReady(
                    f"{view.done:,} of {view.size:,} bytes of the file are at {name}: it continues while this home is"
                    " online"
                )
            events.wait_for(lambda event: isinstance(event, FileChanged), left)


def view_of(store: ClientStore, name: str, message_id: bytes, *, outgoing: bool | None = None) -> FileView:
    """One file; the user's own before one that came. Raises `NoSuchFile`."""
    return file_view(store, stored_file(store, name, message_id, outgoing=outgoing))


def stored_file(store: ClientStore, name: str, message_id: bytes, *, outgoing: bool | None = None) -> StoredFile:
    """The row of one file, as `view_of`."""
    directions = [Direction.OUT] if outgoing is not False else []
    directions += [Direction.IN] if outgoing is not True else []
    for direction in directions:
        file = store.files.get(name, message_id, direction)
        if file is not None:
            return file
    raise NoSuchFile


def whole_content(store: ClientStore, name: str, message_id: bytes, *, outgoing: bool | None = None) -> bytes:
    """All bytes of a file, compared with what was offered. Raises `NoSuchFile` while it is not whole."""
    file = stored_file(store, name, message_id, outgoing=outgoing)
    content = store.files.content(file)
    if (file.direction is Direction.IN and file.state is not FileState.COMPLETE) or not is_whole(
        content, file.size, file.digest
    ):
        raise NoSuchFile("this file is not here as a whole")
    return content


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
