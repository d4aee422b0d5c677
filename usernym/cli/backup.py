"""Commands on a home as a whole: its passphrase, and encrypted backups of its contacts and messages."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.cli.account import WhoAmICommand
from usernym.cli.command import ClientCommand, Deadline, Entry, Invocation
from usernym.cli.replies import WhoAmIReply, whoami_reply
from usernym.cli.session import Session
from usernym.cli.terminal import print_json, print_line
from usernym.settings import BACKUP_PASSPHRASE_VARIABLE, NEW_PASSPHRASE_VARIABLE, PASSPHRASE_VARIABLE, ClientSettings

if TYPE_CHECKING:
    from usernym import Client

THE_BACKUP: Final = "the backup"


class ChangePassphraseCommand(ClientCommand[WhoAmIReply], frozen=True, tag="change passphrase"):
    """Protect the home by another passphrase. None is no passphrase, before or after."""

    old: str | None
    new: str | None

    def perform(self, client: Client, _deadline: Deadline, /) -> WhoAmIReply:
        """Change it."""
        client.change_passphrase(self.old, self.new, unprotected=self.new is None)
        return whoami_reply(client.whoami())


def _passphrase_options(parser: ArgumentParser) -> None:
    parser.add_argument("--no-passphrase", action="store_true", help="keep this home without a passphrase from now on")


def passphrase(typed: Invocation[ClientSettings]) -> None:
    """`usernym passphrase`."""
    from usernym.cli.passphrases import THIS_HOME, given_or_asked

    with Session(typed) as session:
        protected = session.call(WhoAmICommand()).protected
        old = given_or_asked(PASSPHRASE_VARIABLE, THIS_HOME, is_new=False) if protected else None
        no_new = typed.given.no_passphrase or typed.settings.unprotected
        new = None if no_new else given_or_asked(NEW_PASSPHRASE_VARIABLE, THIS_HOME, is_new=True)
        who = session.call(ChangePassphraseCommand(old, new))
    if typed.json:
        print_json(who)
    elif new is None:
        print_line("this home is NOT protected by a passphrase any more")
    else:
        print_line("this home has the new passphrase; copies that were made of it before still open with the old one")


class ExportReply(msgspec.Struct, frozen=True):
    """A backup that was written."""

    backup: str
    """Its folder."""


class ExportCommand(ClientCommand[ExportReply], frozen=True, tag="export"):
    """Write a backup into a new folder."""

    folder: str
    passphrase: str

    def perform(self, client: Client, _deadline: Deadline, /) -> ExportReply:
        """Write it."""
        client.export_backup(self.folder, self.passphrase)
        return ExportReply(self.folder)


def _export_options(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")


def export(typed: Invocation[ClientSettings]) -> None:
    """`usernym export FOLDER`."""
    from usernym.cli.passphrases import given_or_asked

    folder = str(typed.given.folder.expanduser().absolute())
    with Session(typed) as session:
        session.call(WhoAmICommand())  # before anything is asked for
        chosen = given_or_asked(BACKUP_PASSPHRASE_VARIABLE, THE_BACKUP, is_new=True)
        reply = session.call(ExportCommand(folder, chosen))
    if typed.json:
        print_json(reply)
    else:
        print_line(f"contacts and messages are in {folder}, encrypted. Your identity is not: keep your words")


class ImportReply(msgspec.Struct, frozen=True):
    """How much of a backup was new in this home."""

    contacts: int
    messages: int


class ImportCommand(ClientCommand[ImportReply], frozen=True, tag="import"):
    """Add what a backup has."""

    folder: str
    passphrase: str

    def perform(self, client: Client, _deadline: Deadline, /) -> ImportReply:
        """Add it."""
        return msgspec.convert(client.import_backup(self.folder, self.passphrase), ImportReply, from_attributes=True)


def _import_options(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the backup")


def import_(typed: Invocation[ClientSettings]) -> None:
    """`usernym import FOLDER`."""
    from usernym.cli.passphrases import given_or_asked

    folder = str(typed.given.folder.expanduser().absolute())
    with Session(typed) as session:
        session.call(WhoAmICommand())  # before anything is asked for
        given = given_or_asked(BACKUP_PASSPHRASE_VARIABLE, THE_BACKUP, is_new=False)
        reply = session.call(ImportCommand(folder, given))
    if typed.json:
        print_json(reply)
    else:
        print_line(f"{reply.contacts} contacts and {reply.messages} messages came back")


ENTRIES: Final = (
    Entry("passphrase", "change this home's passphrase (USERNYM_NEW_PASSPHRASE, or you are asked)", passphrase,
          _passphrase_options, prints=(WhoAmIReply,)),
    Entry("export", "back up contacts and messages, encrypted (USERNYM_BACKUP_PASSPHRASE, or you are asked); no keys",
          export, _export_options, prints=(ExportReply,)),
    Entry("import", "add the contacts and messages of a backup to this home", import_, _import_options,
          prints=(ImportReply,)),
)  # fmt: skip
