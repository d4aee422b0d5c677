"""What an exception means to a person, as a code and data; the words are in the window's catalogue."""

from __future__ import annotations

from typing import Final

import usernym
from usernym import Code
from usernym.chat.wire import PROBLEMS, Problem
from usernym.errors import Mismatch, PassphraseWeak
from usernym.explain import explain
from usernym.logger import logger
from usernym.passphrases import DIFFERENT_MIN, PASSPHRASE_LETTERS_MIN
from usernym.surroundings import fault_of

_KINDS: Final = {
    "PassphraseWeak": "passphrase_weak",
    "WrongPassphrase": "passphrase_wrong",
    "PassphraseNeeded": "passphrase_needed",
    "StoreUnprotected": "passphrase_not_set",
    "FileUnfit": "file_unfit",
    "PictureUnfit": "picture_unfit",
    "PicturesMissing": "pictures_missing",
    "NoSuchFile": "no_such_file",
    "WordsInvalid": "words_invalid",
    "WordsUnfit": "words_of_other",
    "IdentityMoved": "identity_moved",
    "TextTooLong": "text_too_long",
    "RetryNotPossible": "retry_not_possible",
    "HandshakeNotPossible": "route_not_possible",
    "NoSuchContact": "no_such_contact",
    "NoSuchMessage": "no_such_text",
    "AccountStays": "account_stays",
    "NotReady": "not_ready",
    "Closed": "closed",
    "GraphFailed": "stopped",
    "HomeInUse": "home_in_use",
    "StoreFull": "disk_full",
    "NotAStore": "not_a_backup",
    "StoreCorrupt": "damaged",
    "StoreExposed": "exposed",
    "SchemaTooNew": "newer_version",
    "StoreInaccessible": "not_readable",
    "StorageError": "storage",
    "SettingsError": "settings",
    "MixnetError": "no_mixnet",
}
"""By an error's class or the nearest of its parents."""
_MISMATCHES: Final = {
    Mismatch.OTHER_NODE: "link_other_node",
    Mismatch.YOURSELF: "own_name",
    Mismatch.OLDER_IDENTITY: "link_older_identity",
    Mismatch.OTHER_IDENTITY: "link_other_identity",
}
_SILENT: Final = {
    "NO_ANSWER": "no_answer",
    "NO_MIXNET": "no_mixnet",
    "TOO_MANY": "too_many",
    "NO_STORAGE": "no_storage",
}
_FAULTS: Final = {"no_room": "disk_full", "limit": "limit", "system": "system", "installation": "installation"}
"""By what a fault of the surroundings is."""
_IN_THE_LOG: Final = frozenset({"settings", "stopped", "stopped_outside"})
"""More is known than the page says. It is English, and so in the log only."""
_CONNECTION: Final = {
    "another login took the route": "other_login",
    "the account is deleted": "account_deleted",
    "the node has moved": "node_moved",
    "no answer from the node": "no_answer",
    "too many requests are waiting": "too_many",
}
"""What the client says of its connection."""


class PageRefused(Exception):
    """The page itself refuses something."""

    def __init__(self, code: str, **data: str | int) -> None:
        assert code in PROBLEMS, code
        super().__init__(code)
        self.problem = Problem(code, data)


def problem_of(error: BaseException) -> Problem:
    """The code for an exception. Never its own text, which may hold a secret, if it is not one of `usernym`'s."""
    if isinstance(error, PageRefused):
        return error.problem
    if isinstance(error, usernym.NodeRefused):
        return refusal(error.code, error.detail)
    if isinstance(error, usernym.RemoteProtocolError):
        return refusal(error.code)
    if isinstance(error, usernym.NodeSilent):
        return Problem(_SILENT[error.failure.name])
    if isinstance(error, usernym.LinkMismatch):
        return Problem(_MISMATCHES[error.why], {"name": error.name})
    if isinstance(error, PassphraseWeak):
        return Problem("passphrase_weak", {"least": PASSPHRASE_LETTERS_MIN, "different": DIFFERENT_MIN})
    for kind in type(error).__mro__:
        code = _KINDS.get(kind.__name__) if kind.__module__.startswith("usernym.") else None
        if code is not None:
            if isinstance(error, usernym.GraphFailed) and code == "stopped" and error.from_outside:
                code = "stopped_outside"
            if code in _IN_THE_LOG:
                logger.warning("the page says %r: %s", code, explain(error))
            return Problem(code)
    fault = fault_of(error)
    if fault is not None and fault.kind in _FAULTS:
        return Problem(_FAULTS[fault.kind])
    explain(error)  # notes in the log where it came from
    return Problem("internal", {"kind": type(error).__name__})


def refusal(code: Code, detail: int = 0) -> Problem:
    """Why the node, or the protocol, refuses something."""
    name = code.name.lower()
    if name not in PROBLEMS:
        return Problem("refused")
    if code is Code.NAME_HELD and detail > 0:
        return Problem(name, {"until": detail})
    if code is Code.BUSY and 0 < detail < 86_400:
        return Problem(name, {"seconds": detail})
    return Problem(name)


def connection_problem(reason: str) -> Problem:
    """Why the client is not connected."""
    return Problem(_CONNECTION.get(reason, "no_mixnet"))
