"""Opening a client in this process, with the settings and the passphrase that were given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import usernym
from usernym.cli.command import Invocation
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.passphrases import home_passphrase
from usernym.protocol.cards import parse_card
from usernym.settings import ClientSettings
from usernym.storage.client.store import ClientStore
from usernym.storage.keyfile import Protection

if TYPE_CHECKING:
    from usernym import Client, Restore


def open_client(typed: Invocation[ClientSettings], name: str | None, restore: Restore | None) -> Client:
    """The client of the home; with `name` the home may be new. Raises `HomeInUse` if another process has it."""
    settings = typed.settings
    unprotected = settings.unprotected or getattr(typed.given, "no_passphrase", False)
    protection = ClientStore.protection(typed.home)
    if protection is Protection.ABSENT:
        _check_new_home(typed, name)
    return usernym.Client.open(
        typed.home,
        name=name,
        node=settings.node,
        mixnet=settings.mixnet,
        passphrase=home_passphrase(protection, unprotected),
        unprotected=unprotected and protection is not Protection.PASSPHRASE,
        accept_strangers=settings.accept_strangers is not False,
        restore=restore,
    )


def _check_new_home(typed: Invocation[ClientSettings], name: str | None) -> None:
    settings = typed.settings
    if name is None:
        raise CommandFailed(
            Exit.STORAGE,
            "no_account",
            f"there is no account in {typed.home}: `usernym register NAME --mixnet MIXNET --node CARD` makes one,"
            " and --home names another folder",
        )
    missing = [flag for flag, value in (("--mixnet", settings.mixnet), ("--node", settings.node)) if value is None]
    if missing:
        text = f"a new home needs {' and '.join(missing)}: see `usernym register --help`"
        raise CommandFailed(Exit.USAGE, "settings", text)
    parse_card(settings.node or "")
