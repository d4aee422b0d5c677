"""How a command ends: exit codes that mean something, and sentences that a person can act on."""

from __future__ import annotations

import time
from enum import IntEnum
from typing import Any, Final

from usernym.actors.failures import (
    Failure,
    HandshakeNotPossible,
    NodeRefused,
    NodeSilent,
    RetryNotPossible,
    TextTooLong,
)
from usernym.control import HolderBusy, HolderGone
from usernym.identity import WordsUnfit
from usernym.links import LinkMismatch, Mismatch
from usernym.mixnet.transport import MixnetError
from usernym.node import Closed, GraphFailed, NotReady
from usernym.people import IdentityMoved
from usernym.protocol.errors import Code, ProtocolError, RemoteProtocolError
from usernym.protocol.words import WordsInvalid
from usernym.settings import SettingsError
from usernym.storage.errors import (
    HomeInUse,
    PassphraseNeeded,
    StorageError,
    StoreUnprotected,
    WrongPassphrase,
)


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


_REFUSALS: Final[dict[Code, str]] = {
    Code.NAME_TOO_SHORT: "this name is too short: a name has at least 3 letters",
    Code.NAME_TOO_LONG: "this name is too long: a name has at most 32 letters",
    Code.NAME_BAD_CHARACTER: "this name has a character that names can't have: only a-z, 0-9 and _ are allowed",
    Code.NAME_BAD_START: "this name does not start with a letter",
    Code.NAME_RESERVED: "this name, or one that looks like it, is reserved: nobody can register it",
    Code.NAME_LOOKS_ALIKE: "this name looks like one that is registered already (0 and o, 1 and l and i look alike)",
    Code.NAME_TAKEN: "this name is taken: somebody else has registered it",
    Code.NAME_HELD: "this name was deleted, and is held back for its owner",
    Code.NO_SUCH_USER: "the node knows nobody of this name",
    Code.NOT_REGISTERED: "the node does not know this account: `usernym register` registers it (again)",
    Code.WORK_INSUFFICIENT: "the node asks for more work than any registration needs: do not trust it",
    Code.CLOCK_SKEW: "this machine's clock is too far from the node's: set it, then try again",
    Code.MAILBOX_FULL: "the recipient's mailbox is full",
    Code.SENDER_SHARE_FULL: "too many of your messages wait for this recipient already",
    Code.UNOPENABLE: "the recipient can't open this message, with any key the node knows of",
    Code.BUSY: "the node has too much to do now: try again later",
    Code.CARD_INVALID: "this is no node's card: a card is one whole line, as `usernym node card` prints it",
    Code.LINK_INVALID: "this is no usernym link, or a damaged one: a link is one line, as `usernym link` prints it",
    Code.UNSUPPORTED_VERSION: "this is of another version of the protocol than this program speaks",
}

NAME_REFUSALS: Final = frozenset(code for code in _REFUSALS if code.name.startswith("NAME_"))
"""The refusals after which another name may be tried."""


_MISMATCHES: Final = {
    Mismatch.OTHER_NODE: "link_of_another_node",
    Mismatch.YOURSELF: "that_is_you",
    Mismatch.OLDER_IDENTITY: "link_outdated",
    Mismatch.OTHER_IDENTITY: "link_differs",
}


def refusal_text(code: Code, detail: int = 0) -> str:
    """What a refusal means, in one sentence."""
    text = _REFUSALS.get(code, f"refused: {code.name.lower().replace('_', ' ')}")
    if code is Code.NAME_HELD and detail > 0:
        text += f" until {date_text(detail)}"
    if code is Code.BUSY and 0 < detail < 86_400:
        text += f" ({detail} seconds from now)"
    return text


def date_text(unix_s: int) -> str:
    """A day, as far as there is one: the number may be anything."""
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(unix_s))
    except (OverflowError, ValueError, OSError):
        return "an impossible date"


def refused(code: Code, detail: int = 0) -> CommandFailed:
    """The end of a command that was refused with `code`."""
    exit_code = Exit.USAGE if code in (Code.CARD_INVALID, Code.LINK_INVALID) else Exit.REFUSED
    return CommandFailed(exit_code, code.name.lower(), refusal_text(code, detail))


def failure_of(error: BaseException) -> CommandFailed:
    """What an exception means to the user of a command; an unexpected one is a bug, told without its content."""
    match error:
        case CommandFailed():
            return error
        case NodeRefused():
            return refused(error.code, error.detail)
        case RemoteProtocolError():
            return refused(error.code)
        case RetryNotPossible():
            return CommandFailed(Exit.REFUSED, "retry_not_possible", str(error))
        case HandshakeNotPossible():
            return CommandFailed(Exit.REFUSED, "handshake_not_possible", str(error))
        case WordsInvalid():
            return CommandFailed(Exit.USAGE, "words_invalid", str(error))
        case IdentityMoved():
            return CommandFailed(Exit.REFUSED, "identity_moved", str(error))
        case LinkMismatch():
            text = f"this link does not verify {error.name}: {error}"
            return CommandFailed(Exit.REFUSED, _MISMATCHES[error.why], text)
        case WordsUnfit():
            return CommandFailed(Exit.REFUSED, "words_unfit", str(error))
        case SettingsError():
            return CommandFailed(Exit.USAGE, "settings", str(error))
        case TextTooLong():
            return CommandFailed(Exit.USAGE, "text_length", str(error))
        case StorageError():
            return _storage(error)
        case KeyboardInterrupt():
            return CommandFailed(Exit.INTERRUPTED, "interrupted", "interrupted")
        case BrokenPipeError():
            return CommandFailed(Exit.PIPE_CLOSED, "pipe_closed", "the reader of the output went away")
        case _:
            return _unanswered(error) or _bug(error)


def _storage(error: StorageError) -> CommandFailed:
    match error:
        case HomeInUse():
            return CommandFailed(Exit.STORAGE, "home_in_use", str(error))
        case WrongPassphrase():
            return CommandFailed(Exit.STORAGE, "wrong_passphrase", str(error))
        case PassphraseNeeded():
            text = f"{error}: set USERNYM_PASSPHRASE, or run this on a terminal to be asked"
            return CommandFailed(Exit.STORAGE, "passphrase_needed", text)
        case StoreUnprotected():
            text = f"{error} (here: with --no-passphrase, or without USERNYM_PASSPHRASE)"
            return CommandFailed(Exit.STORAGE, "store_unprotected", text)
        case _:
            return CommandFailed(Exit.STORAGE, "storage", str(error))


def _unanswered(error: BaseException) -> CommandFailed | None:
    match error:
        case NodeSilent(failure=Failure.NO_MIXNET):
            return CommandFailed(
                Exit.NO_ANSWER,
                "no_mixnet",
                "no mixnet client answers: is nym-client (or `usernym mixnet`) running where this home expects it?",
            )
        case NodeSilent():
            text = f"{error.failure}: is the node running, and is its card the newest?"
            return CommandFailed(Exit.NO_ANSWER, "no_answer", text)
        case NotReady() | MixnetError():
            return CommandFailed(Exit.NO_ANSWER, "no_answer", str(error))
        case Closed():
            text = "the process that held this home has ended: what was on disk goes on when this home is online again"
            return CommandFailed(Exit.NO_ANSWER, "holder_gone", text)
        case HolderGone():
            return CommandFailed(Exit.NO_ANSWER, "holder_gone", f"{error}: whether this was done is not known")
        case HolderBusy():
            return CommandFailed(Exit.NO_ANSWER, "holder_busy", f"{error}: try again")
        case _:
            return None


def _bug(error: BaseException) -> CommandFailed:
    if isinstance(error, GraphFailed):
        # "the node can't go on: <actor>: <why>"; why is in the log, and may name what nobody should read here.
        text = ":".join(str(error).split(":")[:2])
        return CommandFailed(Exit.INTERNAL, "stopped", f"{text}: the log says why")
    # The text of an exception that nobody expected may hold anything: only its kind is shown.
    kind = error.code.name.lower() if isinstance(error, ProtocolError) else type(error).__name__
    return CommandFailed(
        Exit.INTERNAL, "internal", f"internal error ({kind}); with --log-level debug there is more to see"
    )
