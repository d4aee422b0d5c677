"""Verifying a contact by a friend's link: behind `Client.add_link`; docs/protocol.md, "Links"."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from usernym.actors import messages as msg
from usernym.actors.failures import NodeRefused, NodeSilent
from usernym.actors.messages import FindRecord, FoundRecord
from usernym.errors import LinkMismatch, Mismatch, NotReady
from usernym.protocol.links import Link, parse_link
from usernym.running import RunningClient
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Trust

_ASK_AGAIN_S_MIN: Final = 1.0
"""For a second question to the node, when the first took nearly all the time."""


def verify_by_link(running: RunningClient, text: str, timeout: float) -> str:
    """Look the name in a link up, and note that the contact is verified if its identity is the one in the link.

    Returns the name. Raises as `Client.add_link` does.
    """
    link, end = parse_link(text), time.monotonic() + timeout
    if not link.is_of_node(running.user.node):
        raise LinkMismatch(link.name, Mismatch.OTHER_NODE)
    if link.name == running.user.name:
        raise LinkMismatch(link.name, Mismatch.YOURSELF)
    running.ask(running.actors.lookup, partial(msg.FindContact, link.name), timeout, "the lookup")
    if not running.read(lambda store: _verify(store, running.user.node, link)):
        raise LinkMismatch(link.name, _why_not(running, link, max(_ASK_AGAIN_S_MIN, end - time.monotonic())))
    running.actors.forwarding.tell(msg.IdentityLookedAt(link.name))
    return link.name


def _verify(store: ClientStore, node: bytes, link: Link) -> bool:
    """Note that the contact is verified, unless the pinned identity is another one by now."""
    with store.transaction():
        contact = store.contacts.get(link.name)
        if contact is None or not link.matches(node, contact.identity_key):
            return False
        return store.contacts.set_trust(link.name, Trust.VERIFIED)


def _why_not(running: RunningClient, link: Link, timeout: float) -> Mismatch:
    """Whether the link's identity was replaced by the pinned one, with signatures that prove it.

    If the node proves nothing or does not answer, all that is known is that the two differ.
    """
    try:
        found: FoundRecord = running.ask(
            running.actors.finder, partial(FindRecord, link.name), timeout, "asking for the name's identities"
        )
    except (NodeRefused, NodeSilent, NotReady):
        return Mismatch.OTHER_IDENTITY
    *former, last = found.chain
    contact = running.read(lambda store: store.contacts.get(link.name))
    pinned = contact is not None and contact.identity_key == last.stub.identity_key
    if pinned and any(link.matches(running.user.node, each.stub.identity_key) for each in former):
        return Mismatch.OLDER_IDENTITY
    return Mismatch.OTHER_IDENTITY
