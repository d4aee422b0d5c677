"""Proofs of login that were good and could not be taken, for want of room: they must not be good later, in other hands.

A part of registration at the node; docs/protocol.md, "Requests and answers". What was taken is remembered on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.storage.errors import StorageError

SPENT_MAX: Final = 10_000
"""Nonces remembered, about 100 bytes each; past that the oldest goes. They die with the process, as challenges do."""
LATEST_MAX: Final = 100_000
"""Users whose latest login is remembered, as many as routes; about 100 bytes each."""


class SpentProofs:
    """Owned by the registration actor, and used in its thread only."""

    def __init__(self) -> None:
        self._nonces: dict[bytes, None] = {}
        self._latest: dict[str, int] = {}

    @contextmanager
    def taking(self, name: str, nonce: bytes, number: int) -> Iterator[None]:
        """Within the block a proof is put on disk. `number` is its challenge's place among all that the node made.

        If the disk fails, the nonce is spent anyway: it raises CHALLENGE_USED from then on. The answer to an
        older challenge than the latest login's raises CHALLENGE_EXPIRED: what a dead process left in the mixnet must
        not take the route from the process that came after it (`RoutesDoNotGoBack` in docs/models/Login.tla).
        """
        if number < self._latest.get(name, 0):
            raise RemoteProtocolError(Code.CHALLENGE_EXPIRED, "a later login came before it")
        if nonce in self._nonces:
            raise RemoteProtocolError(Code.CHALLENGE_USED, "it could not be taken when it came first")
        try:
            yield
        except StorageError:
            self._nonces[nonce] = None
            if len(self._nonces) > SPENT_MAX:
                del self._nonces[next(iter(self._nonces))]
            raise
        self._latest[name] = number
        if len(self._latest) > LATEST_MAX:
            del self._latest[next(iter(self._latest))]
