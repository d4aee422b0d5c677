"""The SURBs that left the client's Nym address, as far as they may be alive: for the account's next process."""

from __future__ import annotations

from typing import Final

import msgspec

from usernym.storage.client.profile import SET_SETTING
from usernym.storage.database import StoreDatabase

_SETTING: Final = "surbs_given"


class SurbLot(msgspec.Struct, frozen=True, array_like=True):
    """So many SURBs left at one moment.

    The wall clock may jump, and the other one begins again when the machine does: together they tell an age that is
    never too high unless both happen.
    """

    unix_s: int
    """Unix seconds."""
    ticked_s: float
    """Seconds on a clock of the machine that never goes back."""
    count: int


class SurbsAt(msgspec.Struct, frozen=True, array_like=True):
    """What the node should hold at one of its addresses."""

    at: bytes
    """96 bytes."""
    lots: tuple[SurbLot, ...]


class KeptAccount(msgspec.Struct, frozen=True, array_like=True):
    """An account as it was, and what may have left since."""

    address: bytes
    """The Nym address that they lead to, 96 bytes."""
    lots: tuple[SurbLot, ...]
    """The oldest first."""
    ahead: int
    """How many more may have left since it was kept."""
    held: tuple[SurbsAt, ...]
    """Where the login was, first."""


class GivenSurbs:
    """One account, replaced as a whole."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def load(self) -> KeptAccount | None:
        """The account that was kept last; None: there is none."""
        packed = self._db.value(bytes, "SELECT value FROM setting WHERE key = ?", (_SETTING,))
        return None if packed is None else msgspec.msgpack.decode(packed, type=KeptAccount)

    def save(self, kept: KeptAccount) -> None:
        """Keep this one; it is on the disk on return."""
        self._db.run(SET_SETTING, (_SETTING, msgspec.msgpack.encode(kept)))
