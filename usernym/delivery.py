"""Putting a text on its way and waiting until it has got far enough: behind `Client.send` and `Client.retry`."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Literal

from usernym.actors import messages as msg
from usernym.actors.events import DeliveryChanged
from usernym.errors import NoSuchContact, NoSuchMessage, NotReady
from usernym.running import RunningClient
from usernym.storage.client.gaps import MissingCounters
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import DeliveryState, Trust
from usernym.views import Sent, message_view

Wait = Literal["queued", "accepted", "delivered"]
"""How far a text must have got before `Client.send` returns: on disk here, on disk at the node, or at its recipient."""

_FINAL: Final = frozenset(
    {DeliveryState.DELIVERED, DeliveryState.EXPIRED, DeliveryState.REFUSED, DeliveryState.CANCELLED}
)


def deliver(
    running: RunningClient,
    name: str,
    command: Callable[[Future[bytes]], msg.ForwardingClientInbox],
    *,
    what: str,
    wait: Wait,
    timeout: float,
) -> Sent:
    """Give `command` to the forwarding actor, and follow the message whose id it answers. Raises as `follow`."""
    end = time.monotonic() + timeout
    message_id = running.ask(running.actors.forwarding, command, timeout, what)
    return follow(running, name, message_id, wait=wait, timeout=max(0.0, end - time.monotonic()))


def follow(running: RunningClient, name: str, message_id: bytes, *, wait: Wait, timeout: float) -> Sent:
    """Wait until a message of ours is as far as `wait`.

    Raises `NotReady`, with the reason in its text, if it is not in time, or can't get there for now. It stays on disk
    and continues.
    """
    end = time.monotonic() + timeout
    with running.events.subscribe() as events:
        while True:
            sent, trust = running.read(lambda store: _standing(store, name, message_id))
            if _far_enough(sent, wait):
                return sent
            if sent.reason is not None:
                why = sent.reason.name.lower().replace("_", " ")
                raise NotReady(
                    f"the node does not take the message now ({why}): it is kept here, and sent again while this home"
                    " is online"
                )
            if trust is Trust.CHANGED:
                raise NotReady(
                    "the identity behind this name has changed: the message is kept here until you have looked at it"
                    f" (`usernym verify {name}`, or with --seen without comparing safety numbers)"
                )
            left = end - time.monotonic()
            if left <= 0:
                raise NotReady(f"the message is {sent.state}, and not yet {wait}: it is sent while this home is online")
            events.wait_for(lambda event: isinstance(event, DeliveryChanged), left)


def _standing(store: ClientStore, name: str, message_id: bytes) -> tuple[Sent, Trust]:
    """How far a message of ours has got, and what speaks for its recipient's key."""
    message, contact = store.messages.get(name, message_id), store.contacts.get(name)
    if message is None:
        raise NoSuchMessage
    if contact is None:
        raise NoSuchContact
    view = message_view(message, MissingCounters())
    return Sent(view.message_id, view.state or DeliveryState.WAITING, view.reason, view.route), contact.trust


def _far_enough(sent: Sent, wait: Wait) -> bool:
    if sent.state in _FINAL or wait == "queued":
        return True
    return wait == "accepted" and sent.state is DeliveryState.ACCEPTED
