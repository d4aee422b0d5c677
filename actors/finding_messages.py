"""What goes to and comes from `finding_client`; frozen, and showing nothing when printed."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from usernym.actors.base import Inquire
from usernym.actors.messages import AnswerArrived, RequestFailed
from usernym.protocol.records import KeyRecord, Succession


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """What the node has under a name, verified: the record, and the chain that it belongs to."""

    record: KeyRecord = field(repr=False)
    chain: tuple[Succession, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindRecord:
    """Find what the node has under the actor's name."""

    answer: Future[FoundRecord] = field(repr=False)


FindingInbox = FindRecord | AnswerArrived | RequestFailed | Inquire
