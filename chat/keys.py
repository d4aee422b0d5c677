"""Who may look: the one-time token of the address that was printed, and the keys that it was changed for.

The token stands behind the `#` of the address, which a browser sends nowhere; the page hands it over by its websocket
and gets a key, which it keeps in its origin's storage. There is no cookie: cookies do not know ports, so a server
of another user on the same machine would be sent them. A key is good as long as this process lives.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

TOKEN_BYTES: Final = 32
KEYS_MAX: Final = 16
"""Browsers and profiles that one process lets in; past that the oldest is shut out. Each costs a token."""
OFFERED_MAX: Final = 100
"""Letters; a token has 43. Wrong ones are not counted: 256 bits are not guessed, and a count could shut its owner
out."""


class Keys:
    """Tokens and keys of one process."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()
        self._keys: list[str] = []

    def new_token(self) -> str:
        """A token for one use: 43 letters, good for an address."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tokens.add(token)
        return token

    def admit(self, offered: object) -> str | None:
        """The key for a token or a key that is good, else None. A token is used up by this."""
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

    def _new_key(self) -> str:
        key = secrets.token_urlsafe(TOKEN_BYTES)
        self._keys.append(key)
        del self._keys[:-KEYS_MAX]
        return key
