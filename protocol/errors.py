"""What can be wrong with a message, and whose fault it is.

`Code` is the closed list of reasons that travel (docs/protocol.md, "Refusals"); a number is never used twice. The text
of an exception is for this side's log and is never sent to a peer.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Why a message was refused."""

    MALFORMED = 1
    UNSUPPORTED_VERSION = 2
    TOO_LARGE = 3
    UNEXPECTED = 4

    NAME_TOO_SHORT = 10
    NAME_TOO_LONG = 11
    NAME_BAD_CHARACTER = 12
    NAME_BAD_START = 13
    NAME_RESERVED = 14
    NAME_LOOKS_ALIKE = 15
    NAME_TAKEN = 16
    NAME_HELD = 17

    NO_SUCH_USER = 20
    NOT_REGISTERED = 21

    SIGNATURE_INVALID = 30
    RECORD_INVALID = 31
    RECORD_STALE = 32
    SUCCESSION_INVALID = 33
    CARD_INVALID = 34
    CARD_STALE = 35
    LINK_INVALID = 36

    CHALLENGE_INVALID = 40
    CHALLENGE_EXPIRED = 41
    CHALLENGE_USED = 42
    WORK_INSUFFICIENT = 43

    CLOCK_SKEW = 50
    NOT_LOGGED_IN = 51
    REPLAYED = 52

    STALE_KEY = 60
    UNKNOWN_KEY = 61
    MAILBOX_FULL = 62
    SENDER_SHARE_FULL = 63
    UNOPENABLE = 64

    BUSY = 70

    @classmethod
    def known(cls, number: int) -> Code:
        """The code of a number that a peer sent; UNEXPECTED for one that this version does not know."""
        try:
            return cls(number)
        except ValueError:
            return cls.UNEXPECTED


class ProtocolError(Exception):
    """A message that the protocol does not allow."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code.name.lower()}: {detail}" if detail else code.name.lower())
        self.code = code


class RemoteProtocolError(ProtocolError):
    """The peer is wrong: refuse it, count it, change nothing."""


class LocalProtocolError(ProtocolError):
    """We are wrong: a bug on this side, to be reported and never to be sent."""
