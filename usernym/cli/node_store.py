"""`usernym node backup`, `node restore` and `node check`: the node's store, beside the running node or without it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from usernym import node_backup as backup
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.session import Options, passphrase_for
from usernym.cli.terminal import note, printable, say, say_json
from usernym.node import STORE_NAME
from usernym.node_check import check_store
from usernym.storage.backup import KEY_NAME
from usernym.storage.errors import StoreCorrupt
from usernym.storage.keyfile import Protection, read_key

THIS_BACKUP: Final = "this backup"


def _passphrase_of(folder: Path) -> str | None:
    """What opens the backup; None if it is not encrypted."""
    protection = backup.protection_of(folder)
    return None if protection is Protection.NONE else passphrase_for(protection, False, THIS_BACKUP)


def node_backup(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym node backup FOLDER`."""
    folder: Path = arguments.folder.expanduser().absolute()
    passphrase = passphrase_for(Protection.ABSENT, options.no_passphrase, THIS_BACKUP)
    backup.back_up(options.home, folder, passphrase)
    if options.json:
        say_json({"backup": str(folder), "encrypted": passphrase is not None})
    else:
        how = (
            "encrypted under its passphrase" if passphrase is not None else "NOT encrypted: whoever has it is the node"
        )
        say(f"backed up in {printable(str(folder))} ({how})")


def node_restore(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym node restore FOLDER`."""
    folder: Path = arguments.folder.expanduser().absolute()
    backup.restore(folder, options.home, _passphrase_of(folder))
    if options.json:
        say_json({"home": str(options.home)})
        return
    say(f"restored in {printable(str(options.home))}")
    note('What the node did after this backup is not in it: docs/operations.md, "Backup", says what that means.')
    note("If the node has run within the last half hour, start it half an hour after its end, and not before.")


def node_check(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym node check [FOLDER]`."""
    folder: Path | None = arguments.folder
    key = None
    if folder is not None and (passphrase := _passphrase_of(folder := folder.expanduser())) is not None:
        key = read_key(folder / KEY_NAME, passphrase).key
    path = (folder or options.home).absolute() / STORE_NAME
    try:
        checked = check_store(path, key)
    except StoreCorrupt as error:
        raise CommandFailed(Exit.STORAGE, "store_damaged", str(error), {"problems": [str(error)], "found": 1}) from None
    if checked.found:
        if not options.json:
            for problem in checked.problems:
                say(printable(problem))
        text = f"{path} is not sound ({checked.found} found): keep the file as it is, and restore a backup elsewhere"
        raise CommandFailed(Exit.STORAGE, "store_damaged", text, {"problems": checked.problems, "found": checked.found})
    counts = {"accounts": checked.accounts, "messages": checked.messages, "notices": checked.notices}
    if options.json:
        say_json({"sound": True, "rows_checked": checked.rows_checked, **counts})
    elif not checked.rows_checked:
        say(f"the file {printable(str(path))} is sound; an older version wrote it, and its rows were not checked")
    else:
        say(f"{printable(str(path))} is sound: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
