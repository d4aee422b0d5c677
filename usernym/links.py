"""Finding people by name or by link, and handing on one's own link. A part of `Client`; docs/protocol.md, "Links"."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Final

from usernym.actors import messages as msg
from usernym.actors.failures import NodeRefused, NodeSilent
from usernym.actors.messages import FindRecord, FoundRecord
from usernym.node import NotReady
from usernym.people import People
from usernym.protocol.links import Link, link_text, make_link, parse_link
from usernym.protocol.names import canonical
from usernym.running import TIMEOUT_S
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Trust
from usernym.views import ContactView


class Mismatch(StrEnum):
    """Why a link verifies nobody."""

    OTHER_NODE = "it is of another node: names are per node"
    YOURSELF = "it is a link to your own name"
    OLDER_IDENTITY = "it was made before this person replaced their identity: ask them for a new one"
    OTHER_IDENTITY = "the node shows another identity than the link, and nothing that explains it: one may be false"


class LinkMismatch(Exception):
    """A sound link that is not this contact's; `why` says in which way. Trust is what it was before, or lower."""

    def __init__(self, name: str, why: Mismatch) -> None:
        super().__init__(str(why))
        self.name = name
        self.why = why


_LEAST_S: Final = 1.0
"""For the second question, when the first took nearly all the time."""


class Links(People):
    """See `Client`."""

    def look_up(self, name: str, timeout: float = TIMEOUT_S) -> ContactView:
        """Look a name up at the node, and pin its key. Raises `NodeRefused` (NO_SUCH_USER, …) or `NodeSilent`."""
        name = canonical(name)
        self._ask(self._actors.lookup, lambda answer: msg.FindContact(name, answer), timeout, "the lookup")
        return self.contact(name)

    def link(self) -> str:
        """The line that verifies this user to a friend who gets it from them, by a way that the node does not carry.

        It holds as long as the identity: `replace_identity` makes another.
        """
        return link_text(make_link(self._node, self.name, self._key.public))

    def add_link(self, text: str, timeout: float = TIMEOUT_S) -> ContactView:
        """Look the name of a friend's link up; if its identity is the one in the link, the contact is verified.

        As by `set_verified`: a changed identity counts as looked at, and what waited for that is sent. Raises
        `RemoteProtocolError` (LINK_INVALID, UNSUPPORTED_VERSION) for what is no link; `LinkMismatch`, whose `why` says
        what does not fit, and then nobody is trusted more than before; `NodeRefused` (NO_SUCH_USER, …) or `NodeSilent`.
        """
        link, end = parse_link(text), time.monotonic() + timeout
        if not link.is_of_node(self._node):
            raise LinkMismatch(link.name, Mismatch.OTHER_NODE)
        if link.name == self.name:
            raise LinkMismatch(link.name, Mismatch.YOURSELF)
        self.look_up(link.name, timeout)
        if not self._with_store(lambda store: _verify(store, self._node, link)):
            raise LinkMismatch(link.name, self._why(link, max(_LEAST_S, end - time.monotonic())))
        self._actors.forwarding.tell(msg.IdentityLookedAt(link.name))
        return self.contact(link.name)

    def _why(self, link: Link, timeout: float) -> Mismatch:
        """Whether the link's identity was succeeded, signed by the keys that may do so, by the one that is pinned.

        A node that does not prove it, or does not answer, must not make less of what is known already: they differ.
        """
        try:
            found: FoundRecord = self._ask(
                self._actors.finder,
                lambda answer: FindRecord(link.name, answer),
                timeout,
                "asking for the name's identities",
            )
        except (NodeRefused, NodeSilent, NotReady):
            return Mismatch.OTHER_IDENTITY
        *former, last = found.chain
        pinned = self.contact(link.name).identity_key == last.stub.identity_key.hex()
        if pinned and any(link.matches(self._node, each.stub.identity_key) for each in former):
            return Mismatch.OLDER_IDENTITY
        return Mismatch.OTHER_IDENTITY


def _verify(store: ClientStore, node: bytes, link: Link) -> bool:
    """Note that the contact is verified, unless the identity that is pinned at this very moment is another one."""
    with store.transaction():
        contact = store.contacts.get(link.name)
        if contact is None or not link.matches(node, contact.identity_key):
            return False
        return store.contacts.set_trust(link.name, Trust.VERIFIED)
