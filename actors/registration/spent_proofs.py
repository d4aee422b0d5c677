"""Which proofs have been taken, so that none is taken twice or after a later one. In memory, as the challenges' secret
is: what was asked of another process proves nothing to this one.

A part of registration at the node; docs/protocol.md, "Requests and answers". Logins and registrations have memories of
their own, and neither needs the disk: nothing that others do can fill the one or the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.storage.database import check_row_limit

LATEST_MAX: Final = 100_000
"""Users whose latest login is remembered, as many as routes; about 400 bytes each."""
REGISTRATIONS_MAX: Final = 100_000
"""Proofs of registrations remembered, until their challenges have expired. Each has cost a work that gets harder with
every 32 of them in five minutes, whatever comes of them."""


@dataclass(frozen=True, slots=True)
class TakenLogin:
    """A login whose proof was taken, with what its answer says."""

    number: int
    """Of its challenge."""
    proved: bytes = field(repr=False)
    """Digest of the whole proof."""
    life: bytes = field(repr=False)
    """The node's mixnet client of that time, and the sender tag: together they stand for a stock of SURBs."""
    login_id: bytes = field(repr=False)
    stock: int
    """SURBs that the route began with."""
    fence: int
    """By which it took the route."""


class SpentProofs:
    """Owned by the registration actor, and used in its thread only."""

    def __init__(self) -> None:
        self._latest: dict[str, TakenLogin] = {}
        self._registrations: dict[bytes, tuple[bytes, int]] = {}

    def latest(self, name: str) -> TakenLogin | None:
        """The user's latest login, if it is known."""
        return self._latest.get(name)

    def login_by(self, name: str, number: int, proved: bytes) -> TakenLogin | None:
        """What this proof was when it was taken before; None if it may be taken now.

        Raises CHALLENGE_USED for another answer to the same challenge, and CHALLENGE_EXPIRED for one to an older
        challenge than the latest login's: what a dead process left in the mixnet must not take the route from the
        process that came after it (`RoutesDoNotGoBack` in docs/models/Login.tla).
        """
        latest = self._latest.get(name)
        if latest is None or number > latest.number:
            return None
        if number < latest.number:
            raise RemoteProtocolError(Code.CHALLENGE_EXPIRED, "a later login came before it")
        if proved != latest.proved:
            raise RemoteProtocolError(Code.CHALLENGE_USED)
        return latest

    def note_login(self, name: str, login: TakenLogin) -> None:
        """This login has been taken."""
        self._latest.pop(name, None)
        self._latest[name] = login
        if len(self._latest) > LATEST_MAX:
            del self._latest[next(iter(self._latest))]

    def note_registration(self, nonce: bytes, proved: bytes, expires_at: int, now: int) -> bool:
        """This nonce proves this; its challenge expires then. Whether it is new.

        Raises CHALLENGE_USED if it has proved something else, `RowLimitReached` if it can't be remembered.
        """
        while self._registrations and next(iter(self._registrations.values()))[1] < now:
            del self._registrations[next(iter(self._registrations))]
        known = self._registrations.get(nonce)
        if known is None:
            check_row_limit(len(self._registrations), REGISTRATIONS_MAX, "registrations of the last minutes")
        elif known[0] != proved:
            raise RemoteProtocolError(Code.CHALLENGE_USED)
        self._registrations[nonce] = (proved, expires_at)
        return known is None
