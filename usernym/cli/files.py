"""Commands on files: send-file, files, save, cancel-file, erase-file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import usernym
from usernym.cli.command import NAME, TEXTS_SHOWN_MAX, ClientCommand, Deadline, Entry, Invocation, number, option
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.hints import Hint
from usernym.cli.holder import ID_DIGITS_MIN, check_known, contact_of, first_lookup, kept, one_named, retry_until
from usernym.cli.replies import FileReply, file_reply, fitting
from usernym.cli.session import Session, asks
from usernym.cli.terminal import clock, print_err, print_line, print_marked, sign_of_life
from usernym.settings import ClientSettings

if TYPE_CHECKING:
    from argparse import Namespace

    from usernym import Client, FileView

FILES_DEFAULT: Final = 50
LOOK_S: Final = 1.0
"""How often it is looked how far a file is, if nothing is reported meanwhile."""

_ID: Final = option("file_id", metavar="ID", help="the file's id as `files` shows it, or all of it")


class SendFileCommand(ClientCommand[FileReply], frozen=True, tag="send-file"):
    """Store the file at a path, to be sent whenever this home is online."""

    name: str
    path: str
    """Absolute."""
    redraw: bool
    online: bool
    """Whether to go online for someone who is not a contact yet."""

    def perform(self, client: Client, deadline: Deadline, /) -> FileReply:
        contact = contact_of(client, self.name)
        if contact is None:
            first_lookup(client, self.name, deadline, "file", online=self.online)
        elif contact.state in (usernym.Consent.BLOCKED, usernym.Consent.DECLINED):
            text = f"{self.name} is {contact.state} here, and gets no files: `usernym accept {self.name}` changes that"
            raise CommandFailed(Exit.REFUSED, str(contact.state), text)
        sent = client.files.send(self.name, self.path, redraw=self.redraw, wait="queued", timeout=deadline.left())
        return file_reply(sent)


class FollowFileCommand(ClientCommand[FileReply], frozen=True, tag="follow-file"):
    """Wait for a moment until more of a file than `done` bytes has arrived, or it is over."""

    name: str
    file_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""
    done: int = -1

    def perform(self, client: Client, deadline: Deadline, /) -> FileReply:
        with client.subscribe() as events:
            file = _file_named(client, self.name, self.file_id)
            if file.done == self.done and not file.state.is_final:
                try:
                    retry_until(client, client.go_online, deadline)
                except (CommandFailed, usernym.NotReady) as error:
                    if file.outgoing:
                        give_up = f"usernym cancel-file {self.name}"
                        raise kept(error, "file", file.file_id, str(file.state), give_up) from error
                    raise
                events.wait_for(lambda event: isinstance(event, usernym.FileChanged), min(LOOK_S, deadline.left()))
            return file_reply(_file_named(client, self.name, self.file_id))


def _followed(session: Session, typed: Invocation[ClientSettings], file: FileReply) -> FileReply:
    """Wait until the file is over, and show how far it is on a terminal. Raises `CommandFailed`."""
    with sign_of_life(f"{_percent(file)} of {file.name}", quiet=typed.json) as say:
        while file.state in ("offered", "under way"):
            if session.deadline.over:
                raise _not_yet(file)
            file = session.call(FollowFileCommand(file.contact, file.id, file.done), quiet=True)
            say(f"{_percent(file)} of {file.name}")
    return file


def _percent(file: FileReply) -> str:
    return f"{file.done * 100 // file.size} %"


def _not_yet(file: FileReply) -> CommandFailed:
    """The time is over; what happens to the file."""
    arrived = f"{_percent(file)} of the file is {f'at {file.contact}' if file.outgoing else 'here'}"
    text = f"{arrived}: it continues while this home is online, as by `usernym listen` or `usernym login`"
    return CommandFailed(Exit.NO_ANSWER, "not_ready", text, {"id": file.id, "state": file.state})


def _send_file(typed: Invocation[ClientSettings]) -> None:
    given = typed.given
    waits = given.wait != "queued"
    with Session(typed) as session:
        path = str(Path(given.path).absolute())
        sent = session.call(SendFileCommand(given.name, path, not given.as_it_is, waits))
        if waits:
            sent = _followed(session, typed, sent)
    if sent.state not in ("offered", "under way", "complete"):
        raise CommandFailed(Exit.REFUSED, "file_ended", f"the file was not sent: it is {sent.state}")
    typed.show(sent, _print_sent)


def _print_sent(sent: FileReply, given: Namespace) -> None:
    if sent.state == "complete":
        print_line(f"complete: {given.name} has all of it")
    else:
        print_line("stored here: it is sent while this home is online, and listens or waits")


class FilesReply(msgspec.Struct, frozen=True):
    """Files, the newest first."""

    files: list[FileReply]
    earlier: bool
    """Whether there are files before these."""


class FilesCommand(ClientCommand[FilesReply], frozen=True, tag="files"):
    """List files, with one contact or with all: the newest, or those before a place."""

    limit: int
    name: str | None = None
    before: int | None = None

    def perform(self, client: Client, _deadline: Deadline, /) -> FilesReply:
        if self.name is not None:
            check_known(client, self.name)
        limit = min(self.limit, TEXTS_SHOWN_MAX)
        found = [file_reply(view) for view in client.files.page(self.name, limit + 1, self.before)]
        page = fitting(found[:limit])
        return FilesReply(page, len(page) < len(found))


def _print_files(found: FilesReply, given: Namespace) -> None:
    for file in found.files:
        way = f"to {file.contact}" if file.outgoing else f"from {file.contact}"
        state = file.state if file.state != "under way" else _percent(file)
        what = f"{'picture' if file.is_picture else 'file'}, {state}, {file.size:,} bytes"
        print_marked(f"[{clock(file.offered_at)}] {file.id[:ID_DIGITS_MIN]} {way} ({what}): {file.name}")
    if found.earlier:
        who = "" if given.name is None else f" --with {given.name}"
        rest = f"files{who} --before {found.files[-1].place}"
        print_err(f"there are earlier ones: {Hint.of(given).command(rest)}")


class SavedReply(msgspec.Struct, frozen=True):
    """A file that was written."""

    id: str
    path: str
    """Where it is."""


class SaveCommand(ClientCommand[SavedReply], frozen=True, tag="save"):
    """Write a whole file into a folder."""

    name: str
    file_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""
    folder: str
    """Absolute."""

    def perform(self, client: Client, _deadline: Deadline, /) -> SavedReply:
        file = _file_named(client, self.name, self.file_id)
        path = client.files.save(self.name, file.file_id, self.folder, outgoing=file.outgoing)
        if not file.outgoing:
            client.files.mark_read(file)
        return SavedReply(file.file_id, str(path))


def _save(typed: Invocation[ClientSettings]) -> None:
    given = typed.given
    with Session(typed) as session:
        file = session.call(FollowFileCommand(given.name, given.file_id))
        if not file.outgoing:
            _followed(session, typed, file)
        saved = session.call(SaveCommand(given.name, file.id, str(Path(given.to).absolute())))
    typed.show(saved, "saved: {reply.path}")


class FileEndedReply(msgspec.Struct, frozen=True):
    """A file that was cancelled or erased."""

    id: str


class CancelFileCommand(ClientCommand[FileEndedReply], frozen=True, tag="cancel-file"):
    """Send or receive a file no more."""

    name: str
    file_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""

    def perform(self, client: Client, deadline: Deadline, /) -> FileEndedReply:
        file = _file_named(client, self.name, self.file_id)
        if not client.files.cancel(self.name, file.file_id, deadline.left()):
            raise CommandFailed(Exit.REFUSED, "not_cancelled", f"this file can't be cancelled: it is {file.state}")
        return FileEndedReply(file.file_id)


class EraseFileCommand(ClientCommand[FileEndedReply], frozen=True, tag="erase-file"):
    """Erase a file in this home."""

    name: str
    file_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""

    def perform(self, client: Client, deadline: Deadline, /) -> FileEndedReply:
        file = _file_named(client, self.name, self.file_id)
        client.files.erase(self.name, file.file_id, deadline.left())
        return FileEndedReply(file.file_id)


def _file_named(client: Client, name: str, digits: str) -> FileView:
    """The file whose id begins with these digits. Raises `CommandFailed`."""

    def found(start: str) -> list[FileView]:
        some: list[FileView] = []
        before: FileView | None = None
        while page := client.files.page(name, TEXTS_SHOWN_MAX, before):
            some += [file for file in page if file.file_id.startswith(start)]
            before = page[-1]
        return some

    return one_named(client, name, digits, "file", "the files with", found)


ENTRIES: Final = (
    Entry(
        "send-file", "send a file or a picture of at most 10 MiB; a picture leaves without metadata", _send_file,
        (
            NAME,
            option("path", metavar="FILE", help="the file"),
            option("--as-it-is", action="store_true", help="send a picture as it is, with its metadata"),
            option("--wait", choices=("queued", "complete"), default="complete",
                   help="until it is stored here, or its recipient has all of it (default)"),
        ),
        prints=(FileReply,),
    ),
    asks("files", "list files that you sent and that came, the newest first", FilesCommand, _print_files,
         option("--with", dest="name", metavar="NAME", help="with this contact only"),
         option("--before", type=number(1), metavar="PLACE", help="those before this one"),
         option("--limit", type=number(1, TEXTS_SHOWN_MAX), default=FILES_DEFAULT, metavar="N",
                help=f"at most this many; default {FILES_DEFAULT}")),
    Entry("save", "write a file that came into a folder, when it is whole; nothing is overwritten", _save,
          (NAME, _ID, option("--to", metavar="FOLDER", default=".", help="the folder; default: this one")),
          prints=(SavedReply,)),
    asks("cancel-file", "send or receive a file no more", CancelFileCommand, "cancelled", NAME, _ID),
    asks("erase-file", "erase a file in this home only", EraseFileCommand, "erased in this home", NAME, _ID),
)  # fmt: skip
