"""Find people by username on the Nym mixnet, and write to them.

Each of these is opened (`Client.open(...)`), used from any thread, and closed; best in a `with` block:

- `Client`: a user, in a program. `AsyncClient`: the same for asyncio. `ClientOptions`: how a home is opened.
  `Transfers`, `AsyncTransfers`: its files and pictures, as `client.files`. `Entries`, `AsyncEntries`: conversations
  with their files, as `client.entries`. `ContactList`, `AsyncContactList`: its list of contacts, as
  `client.contact_list`.
- `Node`: a discovery node. `Finder`: asks a node about names, before there is an account.

What they return:

- `Whoami` with its `WitnessesView`, `ContactView`, `ListedContact` with its `LastText`, `RequestView`, `MessageView`,
  `EvidenceView`, `FileView`, `ConversationEntry`, `Picture`, `Sent`, `Imported`: what a client has.
- `Subscription`, `AsyncSubscription`: the events of a client, each an `Event`: `MessageArrived`, `DeliveryChanged`,
  `ContactChanged`, `DirectoryChanged`, `IdentityChanged`, `HandshakeChanged`, `DirectSilent`, `TextsErased`,
  `ConnectionChanged`, `NodeAddressChanged`, `RotationStalled`, `FileChanged`, `DirectoryDoubted`,
  `DirectoryUnwitnessed` or `NodeCaught`.
- `NameState`, `FoundRecord`: what a finder found. `NodeStatus`: how a node is.
- `DeliveryState`, `FileState`, `Route`, `Trust`, `InDirectory`, `Consent`, `HandshakeState`, `NameVerdict`, `Code`: the
  words that they use.

What they take: `Restore` for an identity that exists, and a mixnet, which `parse_mixnet` checks (`MixnetSpec`).

What they raise; the text of each error is a sentence that can be shown to a person:

- `NodeRefused` with a `Code`, `NodeSilent`, `NotReady`: the node said no, did not answer, or not in time.
- `RemoteProtocolError`, `WordsInvalid`, `WordsUnfit`, `LinkMismatch` with a `Mismatch`, `TextTooLong`, `FileUnfit`,
  `PictureUnfit`: bad input. `PicturesMissing`: Pillow is not installed.
- `NoSuchContact`, `NoSuchMessage`, `NoSuchFile`, `RetryNotPossible`, `HandshakeNotPossible`, `IdentityMoved`,
  `AccountStays`: it does not fit what is there.
- `SettingsError`, with `PassphraseWeak`; `StorageError`, with `HomeInUse`, `PassphraseNeeded`, `WrongPassphrase`,
  `StoreUnprotected`.
- `Closed`; `GraphFailed`: an actor failed, and the log says why.

Stability: the names in `__all__` are the interface for other programs. Until 1.0 it may change from one minor version
to the next, and the changelog says how. Modules and names below `usernym` may change at any time.

`import usernym` is cheap: each name is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from usernym._version import __version__

if TYPE_CHECKING:
    from usernym.actors.events import (
        ConnectionChanged,
        ContactChanged,
        DeliveryChanged,
        DirectoryChanged,
        DirectoryDoubted,
        DirectoryUnwitnessed,
        DirectSilent,
        Event,
        FileChanged,
        HandshakeChanged,
        IdentityChanged,
        MessageArrived,
        NodeAddressChanged,
        NodeCaught,
        RotationStalled,
        TextsErased,
    )
    from usernym.actors.failures import (
        FileUnfit,
        HandshakeNotPossible,
        NodeRefused,
        NodeSilent,
        RetryNotPossible,
        TextTooLong,
    )
    from usernym.actors.messages import FoundRecord
    from usernym.aio import AsyncClient, AsyncContactList, AsyncEntries, AsyncTransfers
    from usernym.client import Client
    from usernym.contact_list import ContactList, ListedContact
    from usernym.entries import ConversationEntry, Entries
    from usernym.errors import (
        AccountStays,
        Closed,
        GraphFailed,
        IdentityMoved,
        LinkMismatch,
        Mismatch,
        NoSuchContact,
        NoSuchFile,
        NoSuchMessage,
        NotReady,
        PassphraseWeak,
        SettingsError,
    )
    from usernym.finder import Finder, NameState, NameVerdict
    from usernym.identity import Restore, WordsUnfit
    from usernym.mixnets import MixnetSpec, parse_mixnet
    from usernym.node import Node, NodeStatus
    from usernym.pictures import Picture, PicturesMissing, PictureUnfit
    from usernym.protocol.errors import Code, RemoteProtocolError
    from usernym.protocol.words import WordsInvalid
    from usernym.running import ClientOptions
    from usernym.storage.client.archive import Imported
    from usernym.storage.client.listing import LastText
    from usernym.storage.client.types import (
        Consent,
        DeliveryState,
        FileState,
        HandshakeState,
        InDirectory,
        Route,
        Trust,
    )
    from usernym.storage.errors import HomeInUse, PassphraseNeeded, StorageError, StoreUnprotected, WrongPassphrase
    from usernym.subscriptions import AsyncSubscription, Subscription
    from usernym.transfers import FileView, Transfers
    from usernym.views import ContactView, EvidenceView, MessageView, RequestView, Sent, Whoami, WitnessesView

_HOMES = {
    "actors.events": (
        "ConnectionChanged", "ContactChanged", "DeliveryChanged", "DirectSilent", "DirectoryChanged",
        "DirectoryDoubted", "DirectoryUnwitnessed", "Event", "FileChanged", "HandshakeChanged", "IdentityChanged",
        "MessageArrived", "NodeAddressChanged", "NodeCaught", "RotationStalled", "TextsErased",
    ),
    "actors.failures": (
        "FileUnfit", "HandshakeNotPossible", "NodeRefused", "NodeSilent", "RetryNotPossible", "TextTooLong",
    ),
    "actors.messages": ("FoundRecord",),
    "aio": ("AsyncClient", "AsyncContactList", "AsyncEntries", "AsyncTransfers"),
    "client": ("Client",),
    "contact_list": ("ContactList", "ListedContact"),
    "entries": ("ConversationEntry", "Entries"),
    "errors": (
        "AccountStays", "Closed", "GraphFailed", "IdentityMoved", "LinkMismatch", "Mismatch", "NoSuchContact",
        "NoSuchFile", "NoSuchMessage", "NotReady", "PassphraseWeak", "SettingsError",
    ),
    "finder": ("Finder", "NameState", "NameVerdict"),
    "identity": ("Restore", "WordsUnfit"),
    "mixnets": ("MixnetSpec", "parse_mixnet"),
    "node": ("Node", "NodeStatus"),
    "pictures": ("Picture", "PictureUnfit", "PicturesMissing"),
    "protocol.errors": ("Code", "RemoteProtocolError"),
    "protocol.words": ("WordsInvalid",),
    "running": ("ClientOptions",),
    "storage.client.archive": ("Imported",),
    "storage.client.listing": ("LastText",),
    "storage.client.types": (
        "Consent", "DeliveryState", "FileState", "HandshakeState", "InDirectory", "Route", "Trust",
    ),
    "storage.errors": ("HomeInUse", "PassphraseNeeded", "StorageError", "StoreUnprotected", "WrongPassphrase"),
    "subscriptions": ("AsyncSubscription", "Subscription"),
    "transfers": ("FileView", "Transfers"),
    "views": ("ContactView", "EvidenceView", "MessageView", "RequestView", "Sent", "Whoami", "WitnessesView"),
}  # fmt: skip
"""The names of the interface, by the module that defines them."""

_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AccountStays", "AsyncClient", "AsyncContactList", "AsyncEntries", "AsyncSubscription", "AsyncTransfers",
    "Client", "ClientOptions", "Closed", "Code", "ConnectionChanged", "Consent", "ContactChanged", "ContactList",
    "ContactView", "ConversationEntry", "DeliveryChanged", "DeliveryState", "DirectSilent", "DirectoryChanged",
    "DirectoryDoubted", "DirectoryUnwitnessed", "Entries", "Event", "EvidenceView", "FileChanged", "FileState",
    "FileUnfit", "FileView", "Finder", "FoundRecord", "GraphFailed", "HandshakeChanged", "HandshakeNotPossible",
    "HandshakeState", "HomeInUse", "IdentityChanged", "IdentityMoved", "Imported", "InDirectory", "LastText",
    "LinkMismatch", "ListedContact", "MessageArrived", "MessageView", "Mismatch", "MixnetSpec", "NameState",
    "NameVerdict", "NoSuchContact", "NoSuchFile", "NoSuchMessage", "Node", "NodeAddressChanged", "NodeCaught",
    "NodeRefused", "NodeSilent", "NodeStatus", "NotReady", "PassphraseNeeded", "PassphraseWeak", "Picture",
    "PictureUnfit", "PicturesMissing", "RemoteProtocolError", "RequestView", "Restore", "RetryNotPossible",
    "RotationStalled", "Route", "Sent", "SettingsError", "StorageError", "StoreUnprotected", "Subscription",
    "TextTooLong", "TextsErased", "Transfers", "Trust", "Whoami", "WitnessesView", "WordsInvalid", "WordsUnfit",
    "WrongPassphrase", "__version__", "parse_mixnet",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return value
