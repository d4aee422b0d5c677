"""What an exception means to a person, for programs that show one: never what it may hold by accident."""

from __future__ import annotations

from usernym.actors.failures import HandshakeNotPossible, NodeRefused, NodeSilent, RetryNotPossible, TextTooLong
from usernym.errors import (
    AccountStays,
    GraphFailed,
    IdentityMoved,
    LinkMismatch,
    NoSuchContact,
    NoSuchMessage,
    NotReady,
)
from usernym.identity import WordsUnfit
from usernym.log import places_of
from usernym.logger import logger
from usernym.mixnet.transport import MixnetError
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.words import WordsInvalid
from usernym.settings import SettingsError
from usernym.storage.errors import StorageError

_FOR_PEOPLE = (
    AccountStays, GraphFailed, HandshakeNotPossible, IdentityMoved, LinkMismatch, MixnetError, NoSuchContact,
    NoSuchMessage, NodeRefused, NodeSilent, NotReady, RemoteProtocolError, RetryNotPossible, SettingsError,
    StorageError, TextTooLong, WordsInvalid, WordsUnfit,
)  # fmt: skip
"""The errors of the package. The text of each is a sentence for people."""


def explain(error: BaseException) -> str:
    """A sentence for a person. Any other error is a bug: its kind is returned, and the log gets the places it passed.

    Its text is neither returned nor logged: it may hold a name, a text or a secret.
    """
    if isinstance(error, _FOR_PEOPLE):
        return str(error)
    logger.error("a bug: %s", "; ".join(places_of(error)))
    return f"internal error ({type(error).__name__})"
