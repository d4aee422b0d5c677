"""Why a command from the edges failed: what is set on its future."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from usernym.protocol.errors import Code, refusal_text
from usernym.storage.errors import StorageError
from usernym.surroundings import fault_of


class Failure(StrEnum):
    """Why there is no answer."""

    NO_ANSWER = "no answer from the node"
    ADDRESS_LEFT = "no answer from one of the node's addresses, which was left for another one"
    NO_MIXNET = "no mixnet client"
    TOO_MANY = "too many requests are waiting"
    NO_STORAGE = "the answer could not be stored"


_NO_MIXNET: Final = "is nym-client (or `usernym mixnet`) running where this home expects it?"
_NO_ANSWER: Final = "is the node running, and is its card the newest?"


class NodeRefused(Exception):
    """The node said no (set on a command's future)."""

    def __init__(self, code: Code, detail: int = 0, *, proved: bool = False) -> None:
        super().__init__(refusal_text(code, detail) + (", as its public directory shows" if proved else ""))
        self.code = code
        self.detail = detail


class NodeSilent(Exception):
    """The node did not answer, or there is no mixnet client (set on a command's future)."""

    def __init__(self, failure: Failure) -> None:
        hint = _NO_MIXNET if failure is Failure.NO_MIXNET else _NO_ANSWER
        super().__init__(f"{failure}: {hint}")
        self.failure = failure


class MixnetLost(Exception):
    """The mixnet client can't come back: its graph must stop. The text says why."""


class StoppedFromOutside(str):
    """Why a graph has stopped, where it was no bug: the disk, a limit, the mixnet client."""

    __slots__ = ()


def why_stopped(what: str, actor: str, error: BaseException) -> str:
    """Why a graph has stopped, for people; a `StoppedFromOutside` where that is no bug of ours.

    Of `error` only what is meant for people is used: it may hold anything.
    """
    if isinstance(error, MixnetLost | StorageError):
        return StoppedFromOutside(f"the {what} can't continue: {error}")
    if (fault := fault_of(error)) is not None:
        return StoppedFromOutside(f"the {what} can't continue: {fault.text}")
    return f"the {what} can't continue: {actor} failed"


class RetryNotPossible(Exception):
    """This text can't be sent again; the text says why."""


class TextTooLong(ValueError):
    """A text of more than 64 KiB in UTF-8, or of none, or one that is no Unicode (set on a command's future)."""


class FileUnfit(ValueError):
    """A file that can't be sent: too long, empty, with a bad name, or to a stranger (set on a command's future)."""


class HandshakeNotPossible(Exception):
    """The handshake can't take this step; the text says why (set on a command's future)."""
