"""How a command ends: exit codes that mean something, and sentences that a person can act on."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from usernym.protocol.errors import Code, ProtocolError, RemoteProtocolError, refusal_text
from usernym.surroundings import fault_of


class Exit(IntEnum):
    """The exit codes of all commands. Their numbers keep their meaning."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_ANSWER = 3
    STORAGE = 4
    INTERNAL = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


MEANINGS: Final = {
    Exit.OK: "done",
    Exit.REFUSED: "refused by the node, or not possible in the current state",
    Exit.USAGE: "the command or a setting is wrong",
    Exit.NO_ANSWER: "no answer within the time limit",
    Exit.STORAGE: "the home, its store or its passphrase; or the system refuses",
    Exit.INTERNAL: "a bug in this program",
}


class CommandFailed(Exception):
    """A command's end other than success. `kind` is for programs and keeps its meaning; `extra` goes into the JSON."""

    def __init__(self, exit_code: Exit, kind: str, text: str, extra: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.exit_code = exit_code
        self.kind = kind
        self.text = text
        self.extra = extra or {}


NAME_REFUSALS: Final = frozenset(code for code in Code if code.name.startswith("NAME_"))
"""The refusals after which another name may be tried."""


def refused(code: Code, detail: int = 0) -> CommandFailed:
    """The end of a command that was refused with `code`."""
    exit_code = Exit.USAGE if code in (Code.CARD_INVALID, Code.LINK_INVALID, Code.EVIDENCE_INVALID) else Exit.REFUSED
    return CommandFailed(exit_code, code.name.lower(), refusal_text(code, detail))


_TEXT: Final = "{0}"
_ENDS: Final[dict[str, tuple[Exit, str, str]]] = {
    "KeyboardInterrupt": (Exit.INTERRUPTED, "interrupted", "interrupted"),
    "BrokenPipeError": (Exit.PIPE_CLOSED, "pipe_closed", "the reader of the output closed it"),
    "AnswerTooLong": (Exit.REFUSED, "answer_too_long", _TEXT),
    "HolderGone": (Exit.NO_ANSWER, "holder_gone", "{0}: whether this was done is not known"),
    "HolderBusy": (Exit.NO_ANSWER, "holder_busy", "{0}: try again"),
    "PassphraseWeak": (Exit.USAGE, "passphrase_weak", _TEXT),
    "SettingsError": (Exit.USAGE, "settings", _TEXT),
    "RetryNotPossible": (Exit.REFUSED, "retry_not_possible", _TEXT),
    "HandshakeNotPossible": (Exit.REFUSED, "handshake_not_possible", _TEXT),
    "WordsInvalid": (Exit.USAGE, "words_invalid", _TEXT),
    "WordsUnfit": (Exit.REFUSED, "words_unfit", _TEXT),
    "IdentityMoved": (Exit.REFUSED, "identity_moved", _TEXT),
    "TextTooLong": (Exit.USAGE, "text_length", _TEXT),
    "FileUnfit": (Exit.USAGE, "file_unfit", _TEXT),
    "PictureUnfit": (Exit.USAGE, "picture_unfit", "{0}; --as-it-is sends it as it is"),
    "PicturesMissing": (Exit.USAGE, "pictures_missing", _TEXT),
    "NoSuchFile": (Exit.REFUSED, "no_file", _TEXT),
    "HomeInUse": (Exit.STORAGE, "home_in_use", _TEXT),
    "WrongPassphrase": (Exit.STORAGE, "wrong_passphrase", _TEXT),
    "PassphraseNeeded": (
        Exit.STORAGE, "passphrase_needed", "{0}: set USERNYM_PASSPHRASE, or run this on a terminal to be asked",
    ),
    "StoreUnprotected": (Exit.STORAGE, "store_unprotected", "{0} (here: without USERNYM_PASSPHRASE)"),
    "StorageError": (Exit.STORAGE, "storage", _TEXT),
    "NodeSilent": (Exit.NO_ANSWER, "no_answer", _TEXT),
    "NotReady": (Exit.NO_ANSWER, "no_answer", _TEXT),
    "MixnetError": (Exit.NO_ANSWER, "no_answer", _TEXT),
    "Closed": (
        Exit.NO_ANSWER, "holder_gone",
        "the process that held this home has ended; what is on disk continues when this home is online again",
    ),
    "GraphFailed": (Exit.INTERNAL, "stopped", "{0}: the log says why"),
}  # fmt: skip
"""How a command ends by an error: its exit code, its kind, and its text after that of the error.

By the errors' names, so that the modules that define them need not be loaded.
"""
_MISMATCHES: Final = {
    "OTHER_NODE": "link_of_another_node",
    "YOURSELF": "that_is_you",
    "OLDER_IDENTITY": "link_outdated",
    "OTHER_IDENTITY": "link_differs",
}


_FAULT_EXITS: Final = {"encoding": Exit.USAGE, "input_closed": Exit.USAGE, "terminal": Exit.USAGE}
"""Of faults of the surroundings that are not the system's; the others end as the disk's do."""


def failure_of(error: Any) -> CommandFailed:
    """What an exception means to the user of a command.

    Faults of the surroundings are called that. What else is unexpected is a bug, and its content is not shown.
    """
    if isinstance(error, CommandFailed):
        return error
    if isinstance(error, RemoteProtocolError):
        return refused(error.code)
    for kind in type(error).__mro__:
        if kind.__module__.partition(".")[0] not in ("usernym", "builtins"):
            continue
        if kind.__name__ == "NodeRefused":
            return refused(error.code, error.detail)
        if kind.__name__ == "LinkMismatch":
            return CommandFailed(Exit.REFUSED, _MISMATCHES[error.why.name], str(error))
        if kind.__name__ == "GraphFailed" and error.from_outside:
            return CommandFailed(Exit.STORAGE, "stopped", str(error))
        if kind.__name__ in _ENDS:
            exit_code, word, text = _ENDS[kind.__name__]
            is_mixnet = kind.__name__ == "NodeSilent" and error.failure.name == "NO_MIXNET"
            return CommandFailed(exit_code, "no_mixnet" if is_mixnet else word, text.format(error))
    fault = fault_of(error)
    if fault is not None:
        return CommandFailed(_FAULT_EXITS.get(fault.kind, Exit.STORAGE), fault.kind, fault.text)
    # The text of an unexpected exception may hold anything: only its kind is shown.
    word = error.code.name.lower() if isinstance(error, ProtocolError) else type(error).__name__
    text = f"internal error ({word}); --log-level debug shows where it happened"
    return CommandFailed(Exit.INTERNAL, "internal", text)
