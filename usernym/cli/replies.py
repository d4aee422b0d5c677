"""What several commands answer: the shapes behind `--json`. Those of one command are beside it; docs/json.md has all.

Moments are Unix seconds. Keys and ids are hexadecimal digits. A reason is the name of a refusal code, in small letters
(docs/protocol.md, "Refusals").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from usernym.cli.terminal import clock

if TYPE_CHECKING:
    from usernym import ContactView, MessageView, Sent, Whoami


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


class ListedContactReply(msgspec.Struct, frozen=True):
    """A contact in a list."""

    name: str
    trust: Literal["confirmed by the node", "verified", "changed"]
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
    """Whether it came after a text that its sender wrote later."""
    sent_at: int
    """By the writer's clock."""
    arrived_at: int
    """When it was stored in this home, by this machine's clock."""
    state: str | None
    """`waiting`, `accepted`, `delivered`, `expired`, `refused` or `cancelled`; null for a text that came."""
    reason: str | None
    route: Literal["node", "direct"]


class SentReply(msgspec.Struct, frozen=True):
    """One of your texts, and how far it has got."""

    id: str
    """32 digits."""
    state: str
    """`waiting`, `accepted` or `delivered`."""
    reason: str | None
    """Why the node does not take it yet; null otherwise."""
    route: Literal["node", "direct"]


def contact_reply(contact: ContactView) -> ContactReply:
    """A contact as it goes over the control socket."""
    return msgspec.convert(contact, ContactReply, from_attributes=True)


def listed_reply(contact: ContactView) -> ListedContactReply:
    """A contact in a list: without the safety number, since each takes thousands of hashes."""
    return msgspec.convert(contact, ListedContactReply, from_attributes=True)


def stalled_text(since: int) -> str:
    """What a person should know of a message key that the node does not publish."""
    return (
        f"your new message key has waited since {clock(since)} to be published by the node. Until it is, a thief of"
        " this home could read texts of a longer time. If you were online, the node withholds it: think of another node"
    )


def whoami_reply(who: Whoami) -> WhoAmIReply:
    """An account as it goes over the control socket."""
    return msgspec.convert(who, WhoAmIReply, from_attributes=True)


def text_reply(text: MessageView) -> TextReply:
    """A text as it goes over the control socket."""
    return TextReply(
        text.row, text.message_id, text.outgoing, text.text, text.counter, text.missing, text.late, text.sent_at,
        text.arrived_at, None if text.state is None else str(text.state),
        None if text.reason is None else text.reason.name.lower(), "direct" if text.route == "direct" else "node",
    )  # fmt: skip


def sent_reply(sent: Sent) -> SentReply:
    """A text that was sent as it goes over the control socket."""
    reason = None if sent.reason is None else sent.reason.name.lower()
    return SentReply(sent.message_id, str(sent.state), reason, "direct" if sent.route == "direct" else "node")
