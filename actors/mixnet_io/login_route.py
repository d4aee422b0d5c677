"""The client's side of its route: whose tells count, and the SURBs that the node holds for it.

docs/protocol.md, "What the node tells" and "Reply blocks". Owned by mixnet I/O, and used in its thread only.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.mixnet_io.held_surbs import HeldSurbs
from usernym.actors.runtime import Runtime
from usernym.actors.surbs import CounterWindow
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import SURBS_GIVEN_MAX, SURBS_REQUEST, SURBS_TARGET
from usernym.protocol.packets import reply_packets

EARLY_TELLS_MAX: Final = 32
"""Tells held until their login's answer is here: twice what a node delivers at once."""


class LoginRoute:
    """One login's route at a time, or none. What the node holds for it outlives the login: its mixnet client has it."""

    def __init__(self, runtime: Runtime, held: HeldSurbs) -> None:
        self._runtime = runtime
        self._held = held
        self.name = ""
        self.login_id: bytes | None = None
        self._previous: bytes | None = None
        self._window = CounterWindow()
        self._early: list[tuple[m.Tell, int]] = []

    def drop(self, previous: bytes | None) -> None:
        """There is no route; deliveries to the login `previous` still count."""
        self.login_id, self._previous = None, previous

    def open(self, name: str, login_id: bytes, stock: int) -> list[tuple[m.Tell, int]]:
        """The login holds the route from now on, and the node counts on so many SURBs. Returns the early tells for it,
        with the sizes of their frames."""
        if self.login_id is not None and self.login_id != login_id:
            self._previous = self.login_id
        self.name, self.login_id = name, login_id
        self._window = CounterWindow()
        self.reconcile(stock)
        early, self._early = self._early, []
        return early

    def admit(self, tell: m.Tell, size: int, *, logging_in: bool) -> bool:
        """Whether to take this tell now; False if it is held until the login's answer is here.

        Raises `RemoteProtocolError` for one that was sent to another login, or was received before.
        """
        if self.login_id is not None and tell.login_id == self.login_id:
            self.spend(size)
            if not self._window.is_new(tell.counter):
                raise RemoteProtocolError(Code.REPLAYED, "sent twice for one login")
            return True
        if logging_in and tell.login_id != self._previous:
            # What follows a login often overtakes its answer.
            if len(self._early) < EARLY_TELLS_MAX:
                self._early.append((tell, size))
            return False
        if tell.login_id != self._previous or not isinstance(tell, m.Deliver):
            # A delivery proves itself, by its inner signature and its id; the rest was about the old route.
            raise RemoteProtocolError(Code.NOT_LOGGED_IN, "sent for another login")
        self.spend(size)
        return True

    # -- the node's stock --

    def held(self) -> int:
        """SURBs that the node should have."""
        return self._held.here.left(self._runtime.now())

    def lacking(self) -> int:
        """How many the node lacks to the target; none without a route."""
        return 0 if self.login_id is None else max(0, SURBS_TARGET - self.held())

    def lacking_now(self, promised: int) -> int:
        """How many the node lacks to keep `promised` answers and one SURB to ask with, and a spare; none without a
        route."""
        return 0 if self.login_id is None else max(0, SURBS_REQUEST + promised - self.held())

    def for_heartbeat(self) -> int:
        """SURBs that a heartbeat carries at least: as any request while the node has few others, else one."""
        return SURBS_REQUEST if self.held() < SURBS_TARGET else 1

    def give(self, count: int) -> None:
        """`count` travel to the node."""
        self._held.here.add(count, self._runtime.now())

    def spend(self, size: int) -> None:
        """A frame of `size` bytes came over SURBs of a route."""
        self._held.here.take_any(reply_packets(size), self._runtime.now())

    def reconcile(self, stock: int) -> None:
        """The node says what it holds."""
        self._held.here.set(min(stock, SURBS_GIVEN_MAX), self._runtime.now())
