"""The user's commands about keeping a home: passphrase, export, import."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from usernym.cli import perform as work
from usernym.cli.session import THIS_HOME, Options, Session, passphrase_for
from usernym.cli.terminal import printable, say, say_json
from usernym.settings import BACKUP_PASSPHRASE_VARIABLE, NEW_PASSPHRASE_VARIABLE, PASSPHRASE_VARIABLE
from usernym.storage.client.store import ClientStore
from usernym.storage.errors import PassphraseNeeded
from usernym.storage.keyfile import Protection

THE_BACKUP: Final = "the backup"


def passphrase(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym passphrase`."""
    with Session(options) as session:
        session.call(work.WhoAmI())  # before anything is asked for
        protected = ClientStore.protection(options.home) is Protection.PASSPHRASE
        old = passphrase_for(Protection.PASSPHRASE, False) if protected else None
        new = None if options.no_passphrase else _given(NEW_PASSPHRASE_VARIABLE) or _asked(Protection.ABSENT, THIS_HOME)
        value = session.call(work.ChangePassphrase(old, new))
    if options.json:
        say_json(value)
    elif new is None:
        say("this home is NOT protected by a passphrase any more")
    else:
        say("this home has the new passphrase; a copy that somebody made of it before still opens with the old one")


def _asked(protection: Protection, what: str) -> str:
    """A passphrase from a person: one that there is, or a new one. The variable of this home's is not meant."""
    given = os.environ.pop(PASSPHRASE_VARIABLE, None)
    try:
        chosen = passphrase_for(protection, False, what)
    finally:
        if given is not None:
            os.environ[PASSPHRASE_VARIABLE] = given
    if chosen is None:
        raise PassphraseNeeded(f"{what} needs a passphrase")
    return chosen


def _given(variable: str) -> str | None:
    """A passphrase from the environment, if it is there. Raises `PassphraseNeeded` if it is empty."""
    value = os.environ.get(variable)
    if value == "":
        raise PassphraseNeeded(f"{variable} is empty")
    return value


def export(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym export FOLDER`."""
    folder: Path = arguments.folder.expanduser().absolute()
    with Session(options) as session:
        session.call(work.WhoAmI())
        chosen = _given(BACKUP_PASSPHRASE_VARIABLE) or _asked(Protection.ABSENT, THE_BACKUP)
        value = session.call(work.Export(str(folder), chosen))
    if options.json:
        say_json(value)
    else:
        say(f"contacts and messages are in {printable(str(folder))}, encrypted; your identity is not: keep your words")


def import_(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym import FOLDER`."""
    folder: Path = arguments.folder.expanduser().absolute()
    with Session(options) as session:
        session.call(work.WhoAmI())
        given = _given(BACKUP_PASSPHRASE_VARIABLE) or _asked(Protection.PASSPHRASE, THE_BACKUP)
        value = session.call(work.Import(str(folder), given))
    if options.json:
        say_json(value)
    else:
        say(f"{value['contacts']} contacts and {value['messages']} messages came back")
