"""What a client's graph tells its user: events, in the order in which they became true on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from usernym.protocol.errors import Code
from usernym.protocol.evidence import Evidence, Fault
from usernym.storage.client.types import Consent, DeliveryState, FileState, HandshakeState, InDirectory, Route


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A text came, and is on disk."""

    message_id: bytes = field(repr=False)
    """16 bytes, chosen at random by its writer."""
    sender: str = field(repr=False)
    """The contact's name, in canonical form."""
    text: str = field(repr=False)
    """1 to 65,536 bytes in UTF-8. Control characters in it are its writer's."""
    sent_at: int
    """When it was written, by its writer's clock (Unix seconds)."""
    counter: int
    """Its number among all messages from its writer to this user; steps of a handshake count too. It begins at 1, or
    high above all earlier numbers where the writer began again from recovery words (`counters_of_home`)."""
    missing: int
    """How many messages of this sender with a lower counter have not come (yet)."""
    route: Route
    """The way it took."""
    is_request: bool
    """Whether it is from a person whom the user has not accepted as a contact yet."""


@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """A message of ours got further, or failed."""

    message_id: bytes = field(repr=False)
    """16 bytes."""
    recipient: str = field(repr=False)
    """The contact's name, in canonical form."""
    state: DeliveryState
    """How far it has got."""
    reason: Code | None
    """Why it was refused, or still waits; None otherwise."""
    route: Route
    """The way it took last."""
    is_text: bool = True
    """False for a message that is no text of the user's: a step of a handshake."""


@dataclass(frozen=True, slots=True)
class FileChanged:
    """A file was offered, got further, is whole, or failed."""

    message_id: bytes = field(repr=False)
    """The file's id: that of the message that offered it, 16 bytes."""
    contact: str = field(repr=False)
    """The other side's name, in canonical form."""
    outgoing: bool
    """Whether it is the user's own."""
    state: FileState
    """How far it has got. Nothing of a file can be read before it is `COMPLETE`."""
    done: int
    """Bytes that are on the recipient's disk, as far as is known here."""
    size: int
    """Bytes of the whole."""
    erased: bool = False
    """Whether nothing of it is kept here any more."""


@dataclass(frozen=True, slots=True)
class TextsErased:
    """Texts with this contact are gone from here: their time was over, or the user erased them."""

    name: str = field(repr=False)
    """The contact's name, in canonical form."""
    count: int
    """How many texts, at least 1."""


@dataclass(frozen=True, slots=True)
class HandshakeChanged:
    """A direct route was offered, opened or ended."""

    name: str = field(repr=False)
    """The contact's name, in canonical form."""
    state: HandshakeState
    """Where the handshake stands now."""


@dataclass(frozen=True, slots=True)
class DirectSilent:
    """The direct route to this contact stopped responding, or works again."""

    name: str = field(repr=False)
    """The contact's name, in canonical form."""
    silent: bool
    """Whether it does not respond."""
    falls_back: bool
    """Whether messages go through the node meanwhile; else they wait."""


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """The user accepted, declined or blocked a person. No one else learns of it."""

    name: str = field(repr=False)
    """The person's name, in canonical form."""
    state: Consent
    """What the user decided."""


@dataclass(frozen=True, slots=True)
class DirectoryChanged:
    """The node has shown that a contact's identity is in its public directory, or that it broke its promise of that; or
    the user's witnesses have signed the log that shows it."""

    name: str = field(repr=False)
    """The contact's name, in canonical form."""
    directory: InDirectory
    """What is called so from now on."""


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """A contact's identity key changed, by a succession that holds. Safety numbers must be compared again."""

    name: str = field(repr=False)
    """The contact's name, in canonical form."""
    was_verified: bool
    """Whether the user had verified the previous key."""


@dataclass(frozen=True, slots=True)
class NodeCaught:
    """The node signed what an honest node never signs, and no one else can have caused it. The evidence is stored.

    `NAME_CHANGED` alone may have another cause: the user changed the name elsewhere, or someone has the recovery words.
    """

    evidence: Evidence = field(repr=False)

    @property
    def what(self) -> str:
        """What it did: a fixed text, without names."""
        return self.evidence.what

    @property
    def fault(self) -> str:
        """The same in one word: the name of the `Fault` in small letters."""
        return Fault(self.evidence.fault).name.lower()


@dataclass(frozen=True, slots=True)
class RotationStalled:
    """The user's new message key has waited for two weeks or more to be published by the node; or waits no more.

    Without it a thief of the user's keys could read messages of a longer time. The private keys are destroyed after 44
    days in any case.
    """

    since: int | None
    """Since when it waits (Unix seconds); None: it was published."""


@dataclass(frozen=True, slots=True)
class DirectoryDoubted:
    """The node does not show that its public directory continues the one that it showed before; or does so again.

    No one is accused: a node that was restored from a backup does so until its operator has put its log in order. But a
    node that shows different directories to different people does so, too.
    """

    since: int | None
    """Since when (Unix seconds); None: it shows it."""


@dataclass(frozen=True, slots=True)
class DirectoryUnwitnessed:
    """For three hours with a login the node has shown no head of its public directory that enough of the user's
    witnesses have signed; or it shows one again.

    No one is accused: the witnesses may be away. But they sign one history only, so a node that shows this user another
    one than them can't show their signatures.
    """

    since: int | None
    """When it showed the last one, or the first without (Unix seconds); None: it shows one again."""


@dataclass(frozen=True, slots=True)
class NodeAddressChanged:
    """The node sent a card with other addresses, and the client logs in at one of them. A node may send each user
    another card."""

    card: str
    """The card, as a line of text: to be compared with other people's."""


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The route to the node opened, or was lost."""

    online: bool
    """Whether there is a route."""
    reason: str
    """Why, as a text that can be shown."""


Event = (
    MessageArrived | DeliveryChanged | FileChanged | TextsErased | HandshakeChanged | DirectSilent | ContactChanged
    | DirectoryChanged | IdentityChanged | NodeCaught | DirectoryDoubted | DirectoryUnwitnessed | RotationStalled
    | ConnectionChanged | NodeAddressChanged
)  # fmt: skip

EventSink = Callable[[Event], None]
"""Called from an actor's thread; it must not wait."""
