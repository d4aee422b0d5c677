"""The operator's commands on a node's store: `usernym node backup`, `restore`, `move` and `check`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Final, Literal

import msgspec

from usernym.cli.command import Entry, Invocation, option, switch
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.node import remembered
from usernym.cli.replies import reply_of
from usernym.cli.session import WAITING
from usernym.cli.terminal import print_err, print_err_marked, print_line, print_marked, sign_of_life, table
from usernym.settings import (
    NODE_MIXNET_NAME,
    NODE_STORE_NAME,
    PASSPHRASE_VARIABLE,
    WORKERS_FOLDER,
    NodeSettings,
    absolute_path,
)

THIS_BACKUP: Final = "this backup"


def _passphrase_of(folder: Path) -> str | None:
    """What opens the backup; None if it is not encrypted."""
    from usernym.cli.passphrases import passphrase_for
    from usernym.storage.backup import protection_of
    from usernym.storage.keyfile import Protection

    protection = protection_of(folder)
    if protection is Protection.NONE:
        return None
    return passphrase_for(protection, False, THIS_BACKUP, PASSPHRASE_VARIABLE)


class NodeBackupReply(msgspec.Struct, frozen=True):
    """A backup that was written."""

    backup: str
    """Its folder."""
    encrypted: bool
    holds: list[str]
    """Entries of the node's home that are in it."""
    not_held: list[str]
    """Mixnet clients of the node that have their identity elsewhere, and with it an address of the node."""


_HELD: Final = {
    "node.db": "the node's key and card, directory, mailboxes",
    "usernym.toml": "settings",
    NODE_MIXNET_NAME: "the mixnet that it last ran with",
    WORKERS_FOLDER: "its other workers' Nym clients' identities: addresses of the node",
}


def _store_url(typed: Invocation[NodeSettings]) -> str | None:
    """The database that the node's store is in; None for a file in the home."""
    return typed.settings.store or remembered(typed.home, NODE_STORE_NAME)


def backup(typed: Invocation[NodeSettings]) -> None:
    """`usernym node backup FOLDER`."""
    from usernym import node_backup
    from usernym.cli.passphrases import passphrase_for
    from usernym.node import STORE_NAME
    from usernym.storage.keyfile import Protection

    folder: Path = absolute_path(typed.given.folder)
    passphrase = passphrase_for(Protection.ABSENT, typed.given.no_passphrase, THIS_BACKUP, PASSPHRASE_VARIABLE)
    with sign_of_life(WAITING, quiet=typed.json):
        held = node_backup.back_up(typed.home, folder, passphrase, _store_url(typed))
    workers = [remembered(home, NODE_MIXNET_NAME) for home in sorted((typed.home / WORKERS_FOLDER).glob("[0-9]*"))]
    mixnets = (typed.settings.mixnet or remembered(typed.home, NODE_MIXNET_NAME), *workers)
    mixnets += typed.settings.former_mixnets
    elsewhere = [mixnet for mixnet in mixnets if mixnet is not None and mixnet.startswith("ws://")]
    typed.show(NodeBackupReply(str(folder), passphrase is not None, [STORE_NAME, *held], elsewhere), _print_backup)


def _print_backup(reply: NodeBackupReply, _given: Namespace) -> None:
    how = "encrypted under its passphrase" if reply.encrypted else "NOT encrypted: it is all that a node is"
    print_line(f"backed up in {reply.backup} ({how}):")
    _print_held(reply.holds)
    for mixnet in reply.not_held:
        print_err_marked(f"NOT in it: the nym-client at {mixnet} and its identity, which is the node's address there;"
                         " back up that client's own folder")  # fmt: skip


def _print_held(names: list[str]) -> None:
    print_line(table([(name, _HELD.get(name, "a Nym client's identity: an address of the node")) for name in names]))


class MovedTable(msgspec.Struct, frozen=True):
    """A table of the store, the same in both places."""

    table: str
    rows: int
    sha256: str
    """Of its rows."""


class NodeMovedReply(msgspec.Struct, frozen=True):
    """The node's store is somewhere else now."""

    store: str
    """The database, or the file."""
    tables: list[MovedTable]


TO_HOME: Final = "home"


def move(typed: Invocation[NodeSettings]) -> None:
    """`usernym node move --to URL`, and back with `--to home`."""
    from usernym import node_move
    from usernym.node import STORE_NAME
    from usernym.storage.engine import name_of

    to: str | None = typed.given.to
    if to is None:
        raise CommandFailed(Exit.USAGE, "settings", "say where to: --to postgresql://user@host/database, or --to home")
    with sign_of_life(WAITING, quiet=typed.json):
        if to != TO_HOME:
            copied = node_move.move_to_database(typed.home, to)
        else:
            url = typed.settings.store or remembered(typed.home, NODE_STORE_NAME)
            if url is None:
                raise CommandFailed(Exit.USAGE, "settings", f"the node's store is in {typed.home} already")
            copied = node_move.move_to_file(typed.home, url)
            to = str(typed.home / STORE_NAME)
    tables = [MovedTable(each.table, each.rows, each.digest) for each in copied]
    typed.show(NodeMovedReply(name_of(to), tables), _print_moved)


def _print_moved(reply: NodeMovedReply, _given: Namespace) -> None:
    print_line(f"the node's store is {reply.store} now; the same in both places:")
    print_line(table([(each.table, f"{each.rows} rows, SHA-256 {each.sha256[:16]}…") for each in reply.tables]))


class RestoredReply(msgspec.Struct, frozen=True):
    """A node that was made from a backup."""

    home: str
    holds: list[str]
    """Entries of the home that came from the backup."""


def restore(typed: Invocation[NodeSettings]) -> None:
    """`usernym node restore FOLDER`."""
    from usernym import node_backup
    from usernym.node import STORE_NAME

    folder: Path = absolute_path(typed.given.folder)
    held = node_backup.restore(folder, typed.home, _passphrase_of(folder))
    typed.show(RestoredReply(str(typed.home), [STORE_NAME, *held]), _print_restored)


def _print_restored(reply: RestoredReply, _given: Namespace) -> None:
    print_line(f"restored in {reply.home}:")
    _print_held(reply.holds)
    print_err(
        'What the node did after this backup is not in it: docs/backup.md, "An older state", says what that means.'
    )
    print_err(
        "Its directory's log stands still until `usernym node log recover FOLDER` has taken what is missing from an"
        " export of it."
    )
    print_err("If the node ran within the last half hour, wait half an hour after its end before you start it.")


class CheckReply(msgspec.Struct, frozen=True):
    """A store without damage; any other is a failure with `problems` (sentences) and `found` (their number)."""

    sound: Literal[True]
    rows_checked: bool
    """Whether its rows were checked; those that an older version wrote are not."""
    accounts: int
    messages: int
    notices: int
    holds: list[str]
    """Of a backup: entries of the node's home that are in it. Else empty."""


def check(typed: Invocation[NodeSettings]) -> None:
    """`usernym node check [FOLDER]`."""
    from usernym import node_backup
    from usernym.node import STORE_NAME
    from usernym.node_check import check_store
    from usernym.node_copy import store_file
    from usernym.storage.backup import read_backup_key
    from usernym.storage.engine import name_of
    from usernym.storage.errors import StoreCorrupt

    folder: Path | None = typed.given.folder
    key, holds = None, []
    url = None
    if folder is None:
        url = _store_url(typed)
    else:
        folder = absolute_path(folder)
        key = read_backup_key(folder, _passphrase_of(folder))
    path = name_of(url) if url else str((folder or typed.home) / STORE_NAME)
    try:
        with sign_of_life(WAITING, quiet=typed.json), store_file(folder or typed.home, url) as file:
            checked = check_store(file, key)
            if folder is not None and not checked.found:
                holds = [STORE_NAME, *node_backup.parts_held(folder, key)]
    except StoreCorrupt as error:
        raise CommandFailed(Exit.STORAGE, "store_damaged", str(error), {"problems": [str(error)], "found": 1}) from None
    if checked.found:
        if not typed.json:
            for problem in checked.problems:
                print_marked(problem)
        text = f"{path} is damaged ({checked.found} problems): keep it as it is, and restore a backup elsewhere"
        raise CommandFailed(Exit.STORAGE, "store_damaged", text, {"problems": checked.problems, "found": checked.found})

    def say(reply: CheckReply, _given: Namespace) -> None:
        counts = f"{reply.accounts} accounts, {reply.messages} messages, {reply.notices} notices"
        old = f"the file {path} is sound; an older version wrote it, its rows were not checked"
        print_line(f"{path} is sound: {counts}" if reply.rows_checked else old)
        if reply.holds:
            _print_held(reply.holds)

    typed.show(reply_of(CheckReply, checked, sound=True, holds=holds), say)


ENTRIES: Final = (
    Entry("node backup", "copy all that the node is, while it runs or not, encrypted unless --no-passphrase is given",
          backup, (option("folder", type=Path, metavar="FOLDER", help="a new folder for it"),
                   switch("--no-passphrase", "choose not to encrypt it")), "node", (NodeBackupReply,)),
    Entry("node restore", "make a node from a backup, in a home that has none", restore,
          (option("folder", type=Path, metavar="FOLDER", help="the backup"),), "node", (RestoredReply,)),
    Entry("node move", "move the store of a node that does not run into PostgreSQL, or back into its home", move,
          (option("--to", metavar="URL", help="a new database, as postgresql://user@host/database; or home"),
           option("--store", metavar="URL", help="the database that it is in; default: where it was last")),
          "node", (NodeMovedReply,)),
    Entry("node check", "check the node's store, or a backup, for damage", check,
          (option("folder", type=Path, metavar="FOLDER", nargs="?", help="a backup; default: the node's store"),),
          "node", (CheckReply,)),
)  # fmt: skip
