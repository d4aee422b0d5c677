"""What can be wrong with a message, and whose fault it is.

`Code` is the closed list of reasons that travel (docs/protocol.md, "Refusals"); a number is never used twice. The text
of an exception is for this side's log and is never sent to a peer.
"""

from __future__ import annotations

import datetime
from enum import IntEnum
from typing import Final


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
    EVIDENCE_INVALID = 37
    PROOF_INVALID = 38

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
    WORK_WANTED = 71

    @classmethod
    def known(cls, number: int) -> Code:
        """The code of a number that a peer sent; UNEXPECTED for one that this version does not know."""
        try:
            return cls(number)
        except ValueError:
            return cls.UNEXPECTED


_REFUSALS: Final[dict[Code, str]] = {
    Code.NAME_TOO_SHORT: "this name is too short: a name has at least 3 characters",
    Code.NAME_TOO_LONG: "this name is too long: a name has at most 32 characters",
    Code.NAME_BAD_CHARACTER: "this name has a character that names can't have: only a-z, 0-9 and _ are allowed",
    Code.NAME_BAD_START: "this name does not start with a letter",
    Code.NAME_RESERVED: "this name, or one that looks like it, is reserved: it can't be registered",
    Code.NAME_LOOKS_ALIKE: "this name looks like one that is registered already (0 and o, 1 and l and i look alike)",
    Code.NAME_TAKEN: "this name is taken: it is registered already",
    Code.NAME_HELD: "this name was deleted and is kept for its owner",
    Code.NO_SUCH_USER: "no one has this name",
    Code.NOT_REGISTERED: "the node does not know this account: `usernym register` registers it (again)",
    Code.WORK_INSUFFICIENT: "the node asks for more work than any registration needs: do not trust it",
    Code.CLOCK_SKEW: "this machine's clock is too far from the node's: set it, then try again",
    Code.MAILBOX_FULL: "the recipient's mailbox is full",
    Code.SENDER_SHARE_FULL: "too many of your messages are waiting for this recipient already",
    Code.UNOPENABLE: "the recipient can't open this message, with any key the node knows of",
    Code.BUSY: "the node has too much to do now: try again later",
    Code.CARD_INVALID: "this is not a node's card: a card is one whole line, as `usernym node card` prints it",
    Code.LINK_INVALID: "this is not a usernym link, or it is damaged: a link is one line, as `usernym link` prints it",
    Code.EVIDENCE_INVALID: "this proves nothing against a node, or it is damaged",
    Code.PROOF_INVALID: "what the node says of this name is not in its public directory, though it claims so: do not"
    " trust it",
    Code.UNSUPPORTED_VERSION: "this belongs to another version of the protocol",
}
"""What a refusal means to a person, for codes that a person may meet."""


def refusal_text(code: Code, detail: int = 0) -> str:
    """What a refusal means, in one sentence. `detail` is the one that came with it (docs/protocol.md, "Refusals")."""
    text = _REFUSALS.get(code, f"refused: {code.name.lower().replace('_', ' ')}")
    if code is Code.NAME_HELD and detail > 0:
        text += f" until {_date_text(detail)}"
    if code is Code.BUSY and 0 < detail < 86_400:
        text += f" ({detail} seconds from now)"
    return text


def _date_text(unix_s: int) -> str:
    """A day (UTC), if there is such a day: the number may be anything."""
    try:
        return f"{datetime.datetime.fromtimestamp(unix_s, datetime.UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "an impossible date"


class ProtocolError(Exception):
    """A message that the protocol does not allow."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code.name.lower()}: {detail}" if detail else code.name.lower())
        self.code = code


class RemoteProtocolError(ProtocolError):
    """The peer is wrong: refuse it, count it, change nothing."""

    def __str__(self) -> str:
        """A sentence for a person; with the detail for the log if a person does not usually meet this code."""
        return refusal_text(self.code) if self.code in _REFUSALS else super().__str__()


class LocalProtocolError(ProtocolError):
    """We are wrong: a bug on this side, to be reported and never to be sent."""
