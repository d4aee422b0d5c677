"""What several commands answer: the shapes behind `--json`. Those of one command are beside it; docs/json.md has all.

Moments are Unix seconds. Keys and ids are hexadecimal digits. A reason is the name of a refusal code, in small letters
(docs/protocol.md, "Refusals").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec

from usernym import control
from usernym.cli.terminal import clock

if TYPE_CHECKING:
    from usernym import Code, FileView, MessageView

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T", bound="TextReply")
Way = Literal["node", "direct"]

ANSWER_BYTES_MAX: Final = control.LINE_BYTES_MAX - 4096
"""Of a page in one answer on the control socket; the rest is for what is around it."""


class WitnessesReply(msgspec.Struct, frozen=True):
    """Witnesses that were named, and what they have signed of what the node has shown since."""

    named: int
    needed: int
    """How many of them must have signed a head of the directory's log."""
    signed: int | None
    """How many of them have signed the newest head that the node has shown; null before the first."""
    met_at: int | None
    """When the node showed a head last that enough of them had signed; null if it never did."""
    unmet_since: int | None
    """Since when it shows none, if for three hours with a login; else null."""


class WhoAmIReply(msgspec.Struct, frozen=True):
    """The account of a home."""

    name: str
    node: str
    """The node's identity, 64 digits."""
    identity_key: str
    mixnet: str
    """As it was given to `--mixnet`."""
    registered: bool
    protected: bool
    """Whether a passphrase protects the home."""
    recoveries: int
    """How often the recovery words have replaced the identity."""
    rotation_stalled_since: int | None
    """Since when a new message key waits to be published, if for two weeks or more; else null."""
    deleted: bool
    """Whether the account was deleted; the texts are still in the home."""
    in_directory: bool
    """Whether the node has shown that its public directory has this name, with this identity."""
    directory_doubted_since: int | None
    """Since when the node does not show that its directory continues the one that it showed before; else null."""
    witnesses: WitnessesReply | None
    """The witnesses that were named; null without any."""
    faults: list[str]
    """What the evidence against the node in this home shows: `usernym evidence` has it."""


class ListedContactReply(msgspec.Struct, frozen=True):
    """A contact in a list."""

    name: str
    trust: Literal["confirmed by the node", "verified", "changed"]
    directory: Literal[
        "in the public directory",
        "in the public directory, but not signed by your witnesses",
        "not in the public directory yet",
        "not in the public directory",
    ]
    """Whether the node has shown that the identity is there, and whether so many of the witnesses that were named have
    signed that as are wanted; *yet*: whether it has promised to."""
    state: Literal["accepted", "pending", "declined", "blocked"]
    handshake: str
    """`none`, `offered`, `offer received`, `active`, `ended by me` or `ended by peer`."""
    direct_only: bool
    """Whether texts wait while the direct route is silent, instead of going through the node."""
    direct_silent: bool
    identity_key: str
    disappears_after: int | None
    """Seconds after which texts are erased in this home; null if they stay."""


class ContactReply(ListedContactReply, frozen=True):
    """A contact."""

    safety_number: str
    """Sixty digits in twelve groups."""


class TextReply(msgspec.Struct, frozen=True):
    """A text of a conversation."""

    row: int
    """Its place in this home: for `history --before`."""
    message_id: str
    """32 digits."""
    outgoing: bool
    text: str
    counter: int
    """The sender's number of it, from 1 on."""
    missing: int
    """Texts of the sender before this one that have not come; 0 for your own."""
    late: bool
    """Whether it stands behind a text that its sender wrote later: it came long after that was read."""
    sent_at: int
    """By the writer's clock."""
    arrived_at: int
    """When it was stored in this home, by this machine's clock."""
    state: str | None
    """`waiting`, `accepted`, `delivered`, `expired`, `refused` or `cancelled`; null for a text that came."""
    reason: str | None
    route: Way


class SentReply(msgspec.Struct, frozen=True):
    """One of your texts, and how far it has got."""

    id: str
    """32 digits."""
    state: str
    """`waiting`, `accepted` or `delivered`."""
    reason: str | None
    """Why the node does not take it yet; null otherwise."""
    route: Way
    contact: Literal["accepted", "pending", "declined", "blocked"]
    """The recipient's state here: nothing is shown of what those write who are declined or blocked."""


class FileReply(msgspec.Struct, frozen=True):
    """A file that was offered, and how far it has got."""

    id: str
    """32 digits."""
    contact: str
    outgoing: bool
    name: str
    """What its sender called it, made safe: never a path."""
    is_picture: bool
    """Whether its sender calls it a picture."""
    size: int
    """Bytes."""
    done: int
    """Bytes that are at its recipient, as far as is known here."""
    state: str
    """`offered`, `under way`, `complete`, `cancelled`, `ended by the other side`, `damaged` or `failed`."""
    offered_at: int
    """When it was stored in this home, by this machine's clock."""
    read: bool
    row: int
    """The place of its offer among the texts of the conversation."""
    place: int
    """Its place among the files: for `files --before`."""


def reply_of(kind: type[R], view: object, **more: object) -> R:
    """What the library shows, as it is printed: `kind` with the fields that `view` has, and `more`."""
    shown = {name: getattr(view, name, msgspec.UNSET) for name in kind.__struct_fields__ if name not in more}
    return kind(**{name: value for name, value in shown.items() if value is not msgspec.UNSET}, **more)


def text_reply(text: MessageView, kind: type[T], **more: str) -> T:
    """A text as it goes over the control socket."""
    return reply_of(kind, text, reason=reason_word(text.reason), **more)


def file_reply(file: FileView) -> FileReply:
    """A file as it goes over the control socket."""
    return reply_of(FileReply, file, id=file.file_id, state=str(file.state))


def fitting(replies: list[R]) -> list[R]:
    """As many of the first as one answer on the control socket holds; one at least."""
    size = 0
    for at, reply in enumerate(replies):
        size += len(control.encode(msgspec.to_builtins(reply)))
        if size > ANSWER_BYTES_MAX and at:
            return replies[:at]
    return replies


def stalled_text(since: int) -> str:
    """What a person should know of a message key that the node does not publish."""
    return (
        f"your new message key has waited since {clock(since)} to be published by the node. Until it is, a thief of"
        " this home could read texts of a longer time. If you were online, the node withholds it: think of another node"
    )


def doubted_text(since: int) -> str:
    """What a person should know of a node that does not show how its directory continues."""
    return (
        f"since {clock(since)} the node does not show that its public directory is still the one that it showed before."
        " It may be in disorder, after a backup was put back: its operator can tell you. Or it shows different people"
        " different directories. Until it shows it again, compare safety numbers before you trust a new contact"
    )


def unwitnessed_text(since: int) -> str:
    """What a person should know of a node that shows a log which the witnesses do not sign."""
    return (
        f"since {clock(since)} the node shows a log that your witnesses have not signed. They may be away, or not sign"
        " for this node any more: their operators can tell you. Or the node shows you another directory than it shows"
        " them. Until it shows their signatures, compare safety numbers before you trust a new contact"
    )


def fault_text(fault: str) -> str:
    """What a person should know of a fault that is proved."""
    from usernym.protocol.evidence import Fault

    if fault == Fault.NAME_CHANGED.name.lower():
        return (
            "THE NODE'S PUBLIC DIRECTORY HAS A CHANGE OF YOUR NAME THAT THIS PROGRAM DID NOT MAKE. If you did not make"
            " it elsewhere, someone has your recovery words, or the node puts its own keys in your place: what others"
            " write to you first may be read. Compare safety numbers with your contacts, and show them what"
            " `usernym evidence` has"
        )
    return f"the node is not honest: {Fault[fault.upper()].text}. `usernym evidence` has the proof"


def reason_word(reason: Code | None) -> str | None:
    """A refusal code as programs read it."""
    return None if reason is None else reason.name.lower()
