"""Find people by username on the Nym mixnet, and write to them.

Three ways in: `Node` runs a discovery node; `Client` and `AsyncClient` put a user into an application; the same actors
run under simulation in tests. The command line is `usernym`.
"""

from usernym._version import __version__
from usernym.actors.events import (
    ConnectionChanged,
    ContactChanged,
    DeliveryChanged,
    DirectSilent,
    Event,
    HandshakeChanged,
    IdentityChanged,
    MessageArrived,
    NodeCaught,
    TextsErased,
)
from usernym.actors.failures import HandshakeNotPossible, NodeRefused, NodeSilent, RetryNotPossible, TextTooLong
from usernym.actors.messages import FoundRecord
from usernym.aio import AsyncClient
from usernym.client import Client
from usernym.finder import Finder, NameState, NameVerdict
from usernym.identity import Restore, WordsUnfit
from usernym.links import LinkMismatch, Mismatch
from usernym.node import Closed, GraphFailed, Node, NodeStatus, NotReady
from usernym.people import IdentityMoved
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.words import WordsInvalid
from usernym.settings import SettingsError
from usernym.storage.client.archive import Imported
from usernym.storage.client.types import Consent, DeliveryState, HandshakeState, Route
from usernym.storage.errors import StorageError
from usernym.views import ContactView, MessageView, RequestView, Sent, Whoami

__all__ = [
    "AsyncClient",
    "Client",
    "Closed",
    "Code",
    "ConnectionChanged",
    "Consent",
    "ContactChanged",
    "ContactView",
    "DeliveryChanged",
    "DeliveryState",
    "DirectSilent",
    "Event",
    "Finder",
    "FoundRecord",
    "GraphFailed",
    "HandshakeChanged",
    "HandshakeNotPossible",
    "HandshakeState",
    "IdentityChanged",
    "IdentityMoved",
    "Imported",
    "LinkMismatch",
    "MessageArrived",
    "MessageView",
    "Mismatch",
    "NameState",
    "NameVerdict",
    "Node",
    "NodeCaught",
    "NodeRefused",
    "NodeSilent",
    "NodeStatus",
    "NotReady",
    "RemoteProtocolError",
    "RequestView",
    "Restore",
    "RetryNotPossible",
    "Route",
    "Sent",
    "SettingsError",
    "StorageError",
    "TextTooLong",
    "TextsErased",
    "Whoami",
    "WordsInvalid",
    "WordsUnfit",
    "__version__",
]
