"""The ground every actor stands on: a typed reference, a contained failure, timers and counters.

A peer's error (`RemoteProtocolError`) is refused and counted; a full disk is reported, and the message dropped. A bug
that a peer's bytes bring about (`FromPeer`) costs that message and is counted: a peer could do it again and again, so
it neither restarts nor stops anything. After any other bug the actor starts again from its storage (`release`,
`acquire`), a bounded number of times; then its graph is asked to stop. Its thread and the references to it survive a
restart, so no actor ever sends to a dead one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePath
from threading import Event
from traceback import extract_tb
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import msgspec
import pykka

from usernym.actors.runtime import Runtime
from usernym.logger import logger
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.storage.errors import RowConflict, RowLimitReached, StorageError, StoreBusy, StoreFull

RESTARTS_MAX: Final = 3
"""Bugs an actor may have within `RESTARTS_WINDOW_S` before its graph stops: a bug that comes back is not a mishap."""
RESTARTS_WINDOW_S: Final = 60.0
FAILURE_AGAIN_S: Final = 60.0
"""A failure of a kind is logged so often: each request may meet the same one, and peers must not fill the log."""

PASSING_FAILURES: Final = (StoreFull, StoreBusy, RowLimitReached)
"""Failures of the disk that may pass. The message is dropped, like one that was lost on its way."""


def is_bug(error: BaseException) -> bool:
    """Whether it is one of ours, and not a disk's or a server's: a row that breaks its table's rules was made here."""
    return not isinstance(error, StorageError) or isinstance(error, RowConflict)


OnFailed = Callable[[str, BaseException], None]
"""Called with an actor's name and its error when the actor cannot continue: its graph must be stopped."""

M = TypeVar("M")
T = TypeVar("T")
M_contra = TypeVar("M_contra", contravariant=True)


class PrivateValue(msgspec.Struct, frozen=True):
    """A frozen value, such as a message to an actor, that never shows names, tags or texts when it is printed."""

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = ", ".join(f"{name}={value!r}" for name, value in values if isinstance(value, int | float | Enum | None))
        return f"{type(self).__name__}({shown})"


class FromPeer(PrivateValue, frozen=True):
    """A message that exists because of bytes that a peer sent. A bug in handling it is that peer's to repeat."""

    @property
    def by_peer(self) -> bool:
        """Whether this one is; a class may have both sorts."""
        return True


class Tellable(Protocol[M_contra]):
    """A receiver of messages of this type."""

    def tell(self, message: M_contra) -> None:
        """Put `message` into the inbox, and return at once."""


class ActorHandle:
    """What can be done with an actor whatever messages it takes: look at its backlog and counters, stop it."""

    def __init__(self) -> None:
        self._actor_ref: pykka.ActorRef[Any] | None = None
        self._ended: Event | None = None

    def _put(self, message: object) -> None:
        if self._actor_ref is None:
            raise LocalProtocolError(Code.UNEXPECTED, "a message to an actor that was never wired")
        try:
            self._actor_ref.tell(message)
        except pykka.ActorDeadError:
            logger.debug("a message came after its actor had stopped")

    def inquire(self) -> Future[dict[str, int]]:
        """Ask the actor for its counters."""
        answer: Future[dict[str, int]] = Future()
        self._put(Inquire(answer))
        return answer

    def backlog(self) -> int:
        """How many messages wait in the inbox."""
        if self._actor_ref is None:
            return 0
        size: int = self._actor_ref.actor_inbox.qsize()  # type: ignore[attr-defined]
        return size

    def stop(self) -> None:
        """Ask the actor to stop, when it has handled what is before it."""
        if self._actor_ref is not None and self._actor_ref.is_alive():
            self._actor_ref.stop(block=False)

    def stopped(self, timeout_s: float | None) -> bool:
        """Wait until the actor has let go of all that it had; False if that took longer."""
        return self._ended is None or self._ended.wait(timeout_s)


class Ref(ActorHandle, Generic[M]):
    """A reference to an actor that takes the messages `M`. Made before the actor, so that actors can know each other.

    A collaborator is not given the whole inbox: it takes a `Tellable` of those messages that it may tell. So a type
    checker refuses all others.
    """

    def bind(self, actor: Actor[M]) -> Actor[M]:
        """Point to `actor` from now on; returns it."""
        self._actor_ref, self._ended = actor.actor_ref, actor.ended
        return actor

    def tell(self, message: M) -> None:
        """Put `message` into the actor's inbox, and return at once. After the graph has stopped it goes nowhere."""
        self._put(message)


@dataclass(frozen=True, slots=True)
class Inquire:
    """A request for an actor's counters: a copy is set as the future's result. `Actor` itself answers it."""

    answer: Future[dict[str, int]] = field(repr=False)


class Actor(pykka.ThreadingActor, Generic[M]):
    """An actor: `acquire` its state, `receive` messages one by one, `release` it."""

    name: ClassVar[str] = "actor"

    def __init__(self, runtime: Runtime, on_failed: OnFailed) -> None:
        super().__init__()
        self._runtime = runtime
        self._on_failed = on_failed
        self._restarts: deque[float] = deque(maxlen=RESTARTS_MAX)
        self._usable = False
        self._life = 0
        self._bug_places: set[str] = set()
        self._failures_logged: dict[type[StorageError], float] = {}
        self.counts: Counter[str] = Counter()
        self.actor_urn = f"urn:usernym:{self.name}"
        self._queue = runtime.inbox()
        self.actor_inbox = self._queue
        self._actor_ref = pykka.ActorRef(self)
        self.ended = Event()
        """Set behind `release`. Pykka's own `actor_stopped` is set before it: the store would close meanwhile."""
        self.own_ref: Ref[M] = Ref()
        """This actor's reference to itself: where answers to it go."""
        self.own_ref.bind(self)

    # -- what a subclass fills in --

    def acquire(self) -> None:
        """Build the state from storage; called in the actor's thread, at the start and after a bug."""

    def release(self) -> None:
        """Let go of what `acquire` took."""

    def receive(self, message: M) -> None:
        """Act on a message. A subclass matches all kinds of its inbox, and ends with `assert_never`."""
        raise NotImplementedError

    # -- what a subclass uses --

    def tell_self(self, message: M) -> None:
        """Put a message behind those that already wait. Callable from any thread, also after the actor has stopped."""
        self.own_ref.tell(message)

    def tell_self_later(self, delay_s: float, message: M) -> None:
        """Put a message into the own inbox after `delay_s` seconds; not if the actor has stopped or restarted.

        `acquire` sets the timers that an actor needs; timers from before a restart would come on top of them.
        """
        life = self._life

        def put() -> None:
            if self._life == life:
                self.tell_self(message)

        self._runtime.call_later(delay_s, put)

    def backlog(self) -> int:
        """How many messages wait in the own inbox."""
        return self._queue.qsize()

    def refuse(self, error: RemoteProtocolError) -> None:
        """Count a peer's error."""
        self.counts[f"refused_{error.code.name.lower()}"] += 1
        logger.debug("%s: refused what a peer sent (%s)", self.name, error.code.name)

    def note_failure(self, error: StorageError) -> None:
        """Report a failure of the disk that may pass. Nothing was changed."""
        self.counts["storage_failed"] += 1
        now = self._runtime.now()
        if now - self._failures_logged.get(type(error), float("-inf")) >= FAILURE_AGAIN_S:
            self._failures_logged[type(error)] = now
            logger.error("%s: %s", self.name, error)

    def give_up(self, error: BaseException) -> None:
        """Take no more messages, and have the graph stopped."""
        self._usable = False
        logger.error("%s: cannot continue", self.name, exc_info=error)
        self._on_failed(self.name, error)

    def drop_bug(self, error: Exception, kind: str) -> None:
        """Report a bug that costs one message of a peer, or one stored row, and nothing else.

        Each place is logged once: a peer that comes back must not fill the log.
        """
        self.counts["bugs_dropped"] += 1
        at = extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} in {at.name}, {PurePath(at.filename).name}:{at.lineno}"
        if place not in self._bug_places:
            self._bug_places.add(place)
            logger.error("%s: a bug while handling %s, which is dropped: %s", self.name, kind, place)

    # -- Pykka's side --

    def begin(self) -> None:
        """Run the actor's loop: what Pykka's `start` does, for an actor that has been made before.

        Pykka's process-wide registry does not hear of it: it would keep every graph of the process alive, and another
        application's `ActorRegistry.stop_all()` would stop them.
        """
        self._start_actor_loop()

    def _start_actor_loop(self) -> None:
        self._runtime.run(self)

    def on_start(self) -> None:
        """Acquire the state. A failure here is final: it would come back."""
        try:
            self.acquire()
            self._usable = True
        except Exception as error:  # noqa: BLE001 - the boundary at which bugs are contained
            self.give_up(error)

    def on_stop(self) -> None:
        try:
            if self._usable:
                self._usable = False
                self.release()
        finally:
            self.ended.set()

    def on_receive(self, message: Any) -> None:
        """Handle a message; contain what goes wrong."""
        if isinstance(message, Inquire):
            message.answer.set_result(dict(self.counts))
            return
        if not self._usable:
            return
        try:
            self.receive(message)
        except RemoteProtocolError as error:
            self.refuse(error)
        except PASSING_FAILURES as error:
            self.note_failure(error)
        except Exception as error:  # noqa: BLE001 - the boundary at which bugs are contained
            kind = type(message).__name__
            if isinstance(message, FromPeer) and message.by_peer and is_bug(error):
                self.drop_bug(error, kind)
            else:
                self._restart(error, kind)

    def _restart(self, error: BaseException, kind: str) -> None:
        now = self._runtime.now()
        logger.error("%s: a bug while handling %s", self.name, kind, exc_info=error)
        self.counts["bugs"] += 1
        if len(self._restarts) == RESTARTS_MAX and now - self._restarts[0] < RESTARTS_WINDOW_S:
            self.give_up(error)
            return
        self._restarts.append(now)
        self._life += 1
        try:
            self.release()
            self.acquire()
        except Exception as again:  # noqa: BLE001 - as above
            self.give_up(again)


def resolve(answer: Future[T], result: T) -> None:
    """Set a command's result, unless its future is done: who gave the command may have stopped waiting."""
    if not answer.done():
        answer.set_result(result)


def fail(answer: Future[Any], why: Exception) -> None:
    """Set why a command failed, unless its future is done."""
    if not answer.done():
        answer.set_exception(why)
