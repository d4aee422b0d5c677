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
"""Users whose latest login is remembered, as many as routes; about 300 bytes each."""
REGISTRATIONS_MAX: Final = 100_000
"""Registrations remembered, until their challenges have expired. Each has cost a proof of work that gets harder with
every 32 of them in five minutes."""


@dataclass(frozen=True, slots=True)
class _Login:
    number: int
    proved: bytes = field(repr=False)
    login_id: bytes = field(repr=False)


class SpentProofs:
    """Owned by the registration actor, and used in its thread only. `proved` is a digest of the whole proof."""

    def __init__(self) -> None:
        self._latest: dict[str, _Login] = {}
        self._registrations: dict[bytes, tuple[bytes, int]] = {}

    def take_login(self, name: str, number: int, proved: bytes, login_id: bytes) -> bytes:
        """Take the answer to the challenge of this number; returns the login's id: `login_id`, or that of the same
        proof when it came first.

        Raises CHALLENGE_USED for another answer to the same challenge, and CHALLENGE_EXPIRED for one to an older
        challenge than the latest login's: what a dead process left in the mixnet must not take the route from the
        process that came after it (`RoutesDoNotGoBack` in docs/models/Login.tla).
        """
        latest = self._latest.get(name)
        if latest is not None and number <= latest.number:
            if number < latest.number:
                raise RemoteProtocolError(Code.CHALLENGE_EXPIRED, "a later login came before it")
            if proved != latest.proved:
                raise RemoteProtocolError(Code.CHALLENGE_USED)
            return latest.login_id
        self._latest.pop(name, None)
        self._latest[name] = _Login(number, proved, login_id)
        if len(self._latest) > LATEST_MAX:
            del self._latest[next(iter(self._latest))]
        return login_id

    def check_registration(self, nonce: bytes, proved: bytes, now: int) -> None:
        """Raise CHALLENGE_USED if this nonce has proved something else, `RowLimitReached` if it can't be remembered."""
        while self._registrations and next(iter(self._registrations.values()))[1] < now:
            del self._registrations[next(iter(self._registrations))]
        known = self._registrations.get(nonce)
        if known is None:
            check_row_limit(len(self._registrations), REGISTRATIONS_MAX, "registrations of the last minutes")
        elif known[0] != proved:
            raise RemoteProtocolError(Code.CHALLENGE_USED)

    def note_registration(self, nonce: bytes, proved: bytes, expires_at: int) -> None:
        """This nonce has proved this; its challenge expires then."""
        self._registrations[nonce] = (proved, expires_at)
