"""Who may see the page: the one-time token of a printed address, and the keys that replace it.

The token is behind the `#` of the address, which a browser never sends. The page sends it over its websocket and
receives a key, which it keeps in its origin's storage. There is no cookie: cookies ignore ports, so a browser would
send them to a server of another user on the same machine too. A key is valid while this process runs.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

TOKEN_BYTES: Final = 32
KEYS_MAX: Final = 16
"""Browsers and profiles that one process admits; the next one locks the oldest out. Each needs a token."""
OFFERED_MAX: Final = 100
"""Characters; a token has 43. Wrong tokens are not counted: 256 bits can't be guessed, and a limit could lock the
owner out."""


class Keys:
    """Tokens and keys of one process."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()
        self._keys: list[str] = []

    def new_token(self) -> str:
        """A token for one use: 43 characters that are valid in an address."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tokens.add(token)
        return token

    def admit(self, offered: object) -> str | None:
        """The key for a valid token or key, else None. A token is valid once."""
        if not isinstance(offered, str) or not offered.isascii() or len(offered) > OFFERED_MAX:
            return None
        for key in self._keys:
            if hmac.compare_digest(key, offered):
                return key
        for token in tuple(self._tokens):  # another thread adds to them
            if hmac.compare_digest(token, offered):
                self._tokens.discard(token)
                return self._new_key()
        return None

    def knows(self, offered: str) -> bool:
        """Whether this is a valid key. Never uses a token."""
        if not offered.isascii() or len(offered) > OFFERED_MAX:
            return False
        return any(hmac.compare_digest(key, offered) for key in self._keys)

    def _new_key(self) -> str:
        key = secrets.token_urlsafe(TOKEN_BYTES)
        self._keys.append(key)
        del self._keys[:-KEYS_MAX]
        return key
