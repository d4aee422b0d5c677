"""How requests share a commit: those that wait in a node actor's inbox are committed together, and answered after that.

A commit waits for the disk, however little is in it. The first request puts `CommitBatch` behind all that waits; what
comes until it is taken has the same commit. So a request that comes alone waits for no other. Forwarding stores
messages in this way, and registration names; each in its own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from usernym.actors.base import PASSING_FAILURES, Actor, is_bug
from usernym.actors.messages import CommitBatch
from usernym.protocol.errors import Code

R = TypeVar("R")
T = TypeVar("T")


class SharedCommit(Generic[R, T]):
    """An actor's requests that were checked, until they are committed.

    `commit` carries out what it is given in one commit, and says what came of each. If it raises, nothing was stored.
    """

    def __init__(self, actor: Actor[Any], commit: Callable[[list[R]], list[tuple[R, T]]]) -> None:
        self._actor = actor
        self._commit = commit
        self._waiting: list[R] = []

    def add(self, request: R) -> None:
        """Have it committed when the actor takes `CommitBatch`."""
        if not self._waiting:
            self._actor.tell_self(CommitBatch())
        self._waiting.append(request)

    def carry_out(self) -> list[tuple[R, T | Code]]:
        """Commit all that were added, and say what came of each: BUSY where the disk failed, in a way that may pass.

        If one of them brings a bug about, each is committed by itself, and that one is dropped.
        """
        requests, self._waiting = self._waiting, []
        try:
            return [*self._together(requests)]
        except PASSING_FAILURES as failure:
            self._actor.note_failure(failure)
            return [(request, Code.BUSY) for request in requests]

    def _together(self, requests: list[R]) -> list[tuple[R, T]]:
        try:
            return self._commit(requests)
        except Exception as error:
            if not is_bug(error):
                raise
            if len(requests) > 1:
                return [outcome for each in requests for outcome in self._together([each])]
            self._actor.drop_bug(error, type(requests[0]).__name__)
            return []
