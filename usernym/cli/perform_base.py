"""What all commands that are carried out stand on: a deadline, patience with what is starting, and who is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from usernym.actors.failures import NodeSilent
from usernym.cli.failures import CommandFailed, Exit
from usernym.client import Client
from usernym.node import NotReady
from usernym.protocol.names import canonical
from usernym.views import ContactView

T = TypeVar("T")

PAUSE_S: Final = 0.2
"""Between tries while something is still starting."""
CALL_S_MIN: Final = 0.1


class Deadline:
    """When to stop waiting."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._end = time.monotonic() + timeout

    def left(self) -> float:
        """Seconds left; a moment at least, so that what is ready can still be had."""
        return max(CALL_S_MIN, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._end

    def pause(self, seconds: float = PAUSE_S) -> None:
        """Wait before trying again."""
        time.sleep(min(seconds, self.left()))


def insist(client: Client, call: Callable[[float], T], deadline: Deadline) -> T:
    """Try until it is answered, or the time is over: the mixnet or the node may still be starting."""
    while True:
        try:
            return call(deadline.left())
        except NodeSilent:
            if deadline.over:
                raise _unanswered(client, deadline) from None
            deadline.pause()
        except NotReady:
            raise _unanswered(client, deadline) from None


def _unanswered(client: Client, deadline: Deadline) -> CommandFailed:
    """Nothing came in time; say at which of the two links to look."""
    mixnet = client.whoami().mixnet
    if not client.counters()["io"].get("requests_sent"):
        return CommandFailed(
            Exit.NO_ANSWER,
            "no_mixnet",
            f"within {deadline.timeout:.3g} s no mixnet client could be used at {mixnet}: is nym-client (or"
            " `usernym mixnet`) running there, and is no other program connected to it?",
        )
    return CommandFailed(
        Exit.NO_ANSWER,
        "no_answer",
        f"no answer from the node within {deadline.timeout:.3g} s: is it running, on the mixnet of {mixnet}?",
    )


def contact_of(client: Client, name: str) -> ContactView | None:
    """The contact if it is known here. Raises `CommandFailed` for the user's own name."""
    if canonical(name) == client.name:
        raise CommandFailed(Exit.REFUSED, "that_is_you", "that is you: `usernym whoami` shows your own account")
    try:
        return client.contact(name)
    except KeyError:
        return None


def look_up(client: Client, name: str, deadline: Deadline) -> ContactView:
    """The contact as the node has it. Raises `CommandFailed`, also for the user's own name."""
    contact_of(client, name)
    return insist(client, lambda timeout: client.look_up(name, timeout), deadline)


def known(client: Client, name: str) -> None:
    """Raise `CommandFailed` unless this is a contact, or somebody who asked to be one."""
    if contact_of(client, name) is None:
        raise CommandFailed(Exit.REFUSED, "no_contact", "there is nobody of this name among your contacts and requests")
