"""Passphrases: from the environment, or from the person at the terminal."""

from __future__ import annotations

import getpass
import os
from typing import Final

from usernym.cli.terminal import has_terminal, print_err
from usernym.errors import PassphraseWeak
from usernym.passphrases import check_new_passphrase
from usernym.storage.errors import PassphraseNeeded
from usernym.storage.keyfile import Protection

THIS_HOME: Final = "this home"
"""What a passphrase is for, in what a person reads."""


def passphrase_for(protection: Protection, unprotected: bool, what: str, variable: str) -> str | None:
    """The passphrase of something with this protection; None where there is none by choice.

    `what` says what it is for; `variable` of the environment may have it. Raises `PassphraseNeeded`.
    """
    if unprotected and protection is not Protection.PASSPHRASE:
        return None
    if protection is Protection.NONE and not os.environ.get(variable):
        return None
    return given_or_asked(variable, what, is_new=protection is Protection.ABSENT)


def given_or_asked(variable: str, what: str, *, is_new: bool) -> str:
    """A passphrase from this variable, or from the person; a new one is asked for twice. Raises `PassphraseNeeded`
    or `PassphraseWeak`."""
    given = os.environ.get(variable)
    if given is not None:
        if not given:
            raise PassphraseNeeded(f"{variable} is empty")
        if is_new:
            check_new_passphrase(given)
        return given
    return asked(what, is_new=is_new)


def asked(what: str, *, is_new: bool) -> str:
    """A passphrase from the person. Raises `PassphraseNeeded` without a terminal, or if nothing is typed."""
    if not has_terminal():
        raise PassphraseNeeded(f"{what} needs a passphrase (or, when it is made, --no-passphrase)")
    if is_new:
        return _new_passphrase(what)
    typed = getpass.getpass("Passphrase: ")
    if not typed:
        raise PassphraseNeeded(f"{what} needs a passphrase")
    return typed


def _new_passphrase(what: str) -> str:
    print_err(f"The passphrase protects {what}: keys and messages. It can't be reset.")
    while True:
        first = getpass.getpass("New passphrase: ")
        if not first:
            print_err("A passphrase has at least one character; --no-passphrase is the choice to have none.")
        elif (weak := _weakness(first)) is not None:
            print_err(f"Please use another one: {weak}.")
        elif getpass.getpass("Repeat the passphrase: ") != first:
            print_err("These two differ; please try again.")
        else:
            return first


def _weakness(passphrase: str) -> str | None:
    try:
        check_new_passphrase(passphrase)
    except PassphraseWeak as weak:
        return str(weak)
    return None
