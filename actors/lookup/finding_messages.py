"""What goes to and comes from `finding_client`; frozen, and showing nothing when printed."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from usernym.actors.base import Inquire
from usernym.actors.messages import AnswerArrived, RequestFailed
from usernym.protocol.errors import Code
from usernym.protocol.records import KeyRecord, Succession


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """What the node has under a name, verified: the record, and the chain that it belongs to."""

    record: KeyRecord = field(repr=False)
    chain: tuple[Succession, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindRecord:
    """Find what the node has under this name."""

    name: str = field(repr=False)
    answer: Future[FoundRecord] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskName:
    """Ask whether somebody new could register this name. The answer is None, or why the node would refuse it."""

    name: str = field(repr=False)
    answer: Future[Code | None] = field(repr=False)


FindingInbox = FindRecord | AskName | AnswerArrived | RequestFailed | Inquire
