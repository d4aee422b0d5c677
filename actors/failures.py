"""Why a command from the edges failed: what is set on its future."""

from __future__ import annotations

from enum import StrEnum

from usernym.protocol.errors import Code


class Failure(StrEnum):
    """Why there is no answer."""

    NO_ANSWER = "no answer from the node"
    NO_MIXNET = "no mixnet client"
    TOO_MANY = "too many requests are waiting"
    NO_STORAGE = "the answer could not be stored"


class NodeRefused(Exception):
    """The node said no (set on a command's future)."""

    def __init__(self, code: Code, detail: int = 0) -> None:
        super().__init__(code.name.lower())
        self.code = code
        self.detail = detail


class NodeSilent(Exception):
    """The node did not answer, or there is no mixnet client (set on a command's future)."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class MixnetLost(Exception):
    """The mixnet client can't come back: its graph must stop. The text says why."""


class RetryNotPossible(Exception):
    """This text can't be sent again; the text says why."""


class TextTooLong(ValueError):
    """A text of more than 64 KiB in UTF-8, or of none, or one that is no Unicode (set on a command's future)."""


class HandshakeNotPossible(Exception):
    """The handshake can't take this step; the text says why (set on a command's future)."""
