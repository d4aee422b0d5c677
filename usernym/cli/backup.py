"""Commands on a home as a whole: its passphrase, and encrypted backups of its contacts and messages."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.cli.account import WhoAmICommand
from usernym.cli.command import ClientCommand, Deadline, Invocation, option, switch
from usernym.cli.replies import WhoAmIReply, reply_of
from usernym.cli.session import Session, asks
from usernym.cli.terminal import print_line
from usernym.settings import (
    BACKUP_PASSPHRASE_VARIABLE,
    NEW_PASSPHRASE_VARIABLE,
    PASSPHRASE_VARIABLE,
    ClientSettings,
    absolute_path,
)

if TYPE_CHECKING:
    from usernym import Client


class ChangePassphraseCommand(ClientCommand[WhoAmIReply], frozen=True, tag="change passphrase"):
    """Protect the home by another passphrase. None is no passphrase, before or after."""

    old: str | None
    new: str | None

    def perform(self, client: Client, _deadline: Deadline, /) -> WhoAmIReply:
        client.change_passphrase(self.old, self.new, unprotected=self.new is None)
        return reply_of(WhoAmIReply, client.whoami())


def _change(session: Session, typed: Invocation[ClientSettings]) -> ChangePassphraseCommand:
    from usernym.cli.passphrases import THIS_HOME, given_or_asked

    protected = session.call(WhoAmICommand()).protected
    old = given_or_asked(PASSPHRASE_VARIABLE, THIS_HOME, is_new=False) if protected else None
    no_new = typed.given.no_passphrase or typed.settings.unprotected
    return ChangePassphraseCommand(
        old, None if no_new else given_or_asked(NEW_PASSPHRASE_VARIABLE, THIS_HOME, is_new=True)
    )


def _print_changed(who: WhoAmIReply, _given: Namespace) -> None:
    if who.protected:
        print_line("this home has the new passphrase; copies that were made of it before still open with the old one")
    else:
        print_line("this home is NOT protected by a passphrase any more")


class ExportReply(msgspec.Struct, frozen=True):
    """A backup that was written."""

    backup: str
    """Its folder."""


class ExportCommand(ClientCommand[ExportReply], frozen=True, tag="export"):
    """Write a backup into a new folder."""

    folder: str
    passphrase: str

    def perform(self, client: Client, _deadline: Deadline, /) -> ExportReply:
        client.export_backup(self.folder, self.passphrase)
        return ExportReply(self.folder)


def _export(session: Session, typed: Invocation[ClientSettings]) -> ExportCommand:
    return ExportCommand(*_folder_and_passphrase(session, typed, is_new=True))


class ImportReply(msgspec.Struct, frozen=True):
    """How much of a backup was new in this home."""

    contacts: int
    messages: int


class ImportCommand(ClientCommand[ImportReply], frozen=True, tag="import"):
    """Add what a backup has."""

    folder: str
    passphrase: str

    def perform(self, client: Client, _deadline: Deadline, /) -> ImportReply:
        return reply_of(ImportReply, client.import_backup(self.folder, self.passphrase))


def _import(session: Session, typed: Invocation[ClientSettings]) -> ImportCommand:
    return ImportCommand(*_folder_and_passphrase(session, typed, is_new=False))


def _folder_and_passphrase(session: Session, typed: Invocation[ClientSettings], *, is_new: bool) -> tuple[str, str]:
    from usernym.cli.passphrases import given_or_asked

    session.call(WhoAmICommand())  # before anything is asked for
    chosen = given_or_asked(BACKUP_PASSPHRASE_VARIABLE, "the backup", is_new=is_new)
    return str(absolute_path(typed.given.folder)), chosen


ENTRIES: Final = (
    asks("passphrase", "change this home's passphrase (USERNYM_NEW_PASSPHRASE, or you are asked)", _change,
         _print_changed, switch("--no-passphrase", "keep this home without a passphrase from now on"),
         prints=(WhoAmIReply,)),
    asks("export", "back up contacts and messages, encrypted (USERNYM_BACKUP_PASSPHRASE, or you are asked); no keys",
         _export, "contacts and messages are in {reply.backup}, encrypted. Your identity is not: keep your words",
         option("folder", type=Path, metavar="FOLDER", help="a new folder"),
         prints=(ExportReply,)),
    asks("import", "add the contacts and messages of a backup to this home", _import,
         "{reply.contacts} contacts and {reply.messages} messages came back",
         option("folder", type=Path, metavar="FOLDER", help="the backup"), prints=(ImportReply,)),
)  # fmt: skip
