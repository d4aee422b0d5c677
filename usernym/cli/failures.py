"""How a command ends: exit codes that mean something, and sentences that a person can act on.

Only what a command that hands its work over may raise is loaded at once; the rest is loaded when it has happened.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from usernym.control import HolderBusy, HolderGone
from usernym.protocol.errors import Code, ProtocolError, RemoteProtocolError, refusal_text
from usernym.settings import SettingsError


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
    Exit.STORAGE: "the home, its store or its passphrase",
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


def failure_of(error: BaseException) -> CommandFailed:
    """What an exception means to the user of a command. An unexpected one is a bug, and its content is not shown."""
    match error:
        case CommandFailed():
            return error
        case RemoteProtocolError():
            return refused(error.code)
        case SettingsError():
            return CommandFailed(Exit.USAGE, "settings", str(error))
        case HolderGone():
            return CommandFailed(Exit.NO_ANSWER, "holder_gone", f"{error}: whether this was done is not known")
        case HolderBusy():
            return CommandFailed(Exit.NO_ANSWER, "holder_busy", f"{error}: try again")
        case KeyboardInterrupt():
            return CommandFailed(Exit.INTERRUPTED, "interrupted", "interrupted")
        case BrokenPipeError():
            return CommandFailed(Exit.PIPE_CLOSED, "pipe_closed", "the reader of the output closed it")
        case _:
            return _of_client(error) or _of_store(error) or _unanswered(error) or _bug(error)


def _of_client(error: BaseException) -> CommandFailed | None:
    import usernym

    mismatches = {
        usernym.Mismatch.OTHER_NODE: "link_of_another_node",
        usernym.Mismatch.YOURSELF: "that_is_you",
        usernym.Mismatch.OLDER_IDENTITY: "link_outdated",
        usernym.Mismatch.OTHER_IDENTITY: "link_differs",
    }
    match error:
        case usernym.NodeRefused():
            return refused(error.code, error.detail)
        case usernym.RetryNotPossible():
            return CommandFailed(Exit.REFUSED, "retry_not_possible", str(error))
        case usernym.HandshakeNotPossible():
            return CommandFailed(Exit.REFUSED, "handshake_not_possible", str(error))
        case usernym.WordsInvalid():
            return CommandFailed(Exit.USAGE, "words_invalid", str(error))
        case usernym.WordsUnfit():
            return CommandFailed(Exit.REFUSED, "words_unfit", str(error))
        case usernym.IdentityMoved():
            return CommandFailed(Exit.REFUSED, "identity_moved", str(error))
        case usernym.LinkMismatch():
            return CommandFailed(Exit.REFUSED, mismatches[error.why], str(error))
        case usernym.TextTooLong():
            return CommandFailed(Exit.USAGE, "text_length", str(error))
        case _:
            return None


def _of_store(error: BaseException) -> CommandFailed | None:
    from usernym.storage.errors import HomeInUse, PassphraseNeeded, StorageError, StoreUnprotected, WrongPassphrase

    match error:
        case HomeInUse():
            return CommandFailed(Exit.STORAGE, "home_in_use", str(error))
        case WrongPassphrase():
            return CommandFailed(Exit.STORAGE, "wrong_passphrase", str(error))
        case PassphraseNeeded():
            text = f"{error}: set USERNYM_PASSPHRASE, or run this on a terminal to be asked"
            return CommandFailed(Exit.STORAGE, "passphrase_needed", text)
        case StoreUnprotected():
            text = f"{error} (here: without USERNYM_PASSPHRASE)"
            return CommandFailed(Exit.STORAGE, "store_unprotected", text)
        case StorageError():
            return CommandFailed(Exit.STORAGE, "storage", str(error))
        case _:
            return None


def _unanswered(error: BaseException) -> CommandFailed | None:
    import usernym
    from usernym.actors.failures import Failure
    from usernym.mixnet.transport import MixnetError

    match error:
        case usernym.NodeSilent():
            kind = "no_mixnet" if error.failure is Failure.NO_MIXNET else "no_answer"
            return CommandFailed(Exit.NO_ANSWER, kind, str(error))
        case usernym.NotReady() | MixnetError():
            return CommandFailed(Exit.NO_ANSWER, "no_answer", str(error))
        case usernym.Closed():
            text = "the process that held this home has ended; what is on disk continues when this home is online again"
            return CommandFailed(Exit.NO_ANSWER, "holder_gone", text)
        case _:
            return None


def _bug(error: BaseException) -> CommandFailed:
    import usernym

    if isinstance(error, usernym.GraphFailed):
        return CommandFailed(Exit.INTERNAL, "stopped", f"{error}: the log says why")
    # The text of an unexpected exception may hold anything: only its kind is shown.
    kind = error.code.name.lower() if isinstance(error, ProtocolError) else type(error).__name__
    return CommandFailed(
        Exit.INTERNAL, "internal", f"internal error ({kind}); --log-level debug shows where it happened"
    )
