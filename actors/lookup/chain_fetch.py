"""Fetching a name's record, and the chain it belongs to: one table of questions, and what to ask next.

docs/protocol.md, "Lookup" and "History"; docs/directory.md, "Lookups with proof". Pure but for its table: it sends
nothing and stores nothing. Its owner sends the requests that it returns, and passes the node's answers in. A name is
asked about once at a time, however many wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from msgspec.structs import replace

from usernym.actors.messages import FoundRecord, WorkWanted
from usernym.protocol import messages as m
from usernym.protocol.answers import signed_head, verify_absence, verify_proved
from usernym.protocol.challenges import WORK_SLICE
from usernym.protocol.directory.checkpoints import HeadTold, LogHead
from usernym.protocol.directory.proofs import MapProof
from usernym.protocol.directory.witnesses import NO_WITNESSES, WitnessPolicy
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import (
    BUSY_RETRY_S,
    LOOKUP_BITS_MAX,
    SUCCESSIONS_MAX,
    SUCCESSIONS_PER_ANSWER_MAX,
    SURBS_REQUEST,
)
from usernym.protocol.lookup_work import bits_of, search_payment
from usernym.protocol.promises import verify_promised
from usernym.protocol.records import (
    Authority,
    KeyRecord,
    Succession,
    verify_chain,
    verify_record,
    verify_record_in_chain,
)

W = TypeVar("W")

PAID_MAX: Final = 2
"""How often work is done for one fetch: the price may have risen meanwhile."""
OVERTAKEN_MAX: Final = 2
"""How often a fetch begins again because the name got another identity meanwhile: a node must not keep it going."""


@dataclass(slots=True)
class _Question(Generic[W]):
    waiting: list[W]
    prove: bool
    asked: m.Lookup | m.History | None = None
    paid: int = 0
    """How often work was done for it."""
    known: int = 0
    """How many epochs the client knew when it asked for a proof."""
    record: KeyRecord | None = None
    log_size: int | None = None
    lacks_witnesses: bool = False
    promise: bytes | None = None
    links: list[Succession] = field(default_factory=list)
    overtaken: int = 0
    """How often the name got another identity between the answers about its record and its chain."""


class ChainFetch(Generic[W]):
    """Names whose records are being fetched, each with those who wait for it (`W`).

    `node` is the node's public key, `request_id` makes fresh ids, `limit` bounds the names. A record for which
    `is_enough` is true is found without its chain; for any other the chain is fetched as well. `is_enough` may raise
    `RemoteProtocolError` for a record that can't be true. Names for which `wants_proof` is true are looked up with
    proof; the others only if another identity is found. Without `wants_proof` no proof is asked for. `on_head`
    gets the head of the log that each proof shows. `known_size` is how many epochs of it are known already. An absence
    from a log whose head lacks signatures that `witnesses` wants counts as the node's word: `Refused`.
    """

    def __init__(
        self,
        node: bytes,
        request_id: Callable[[], bytes],
        limit: int,
        is_enough: Callable[[str, KeyRecord], bool] = lambda _name, _record: False,
        wants_proof: Callable[[str], bool] | None = None,
        on_head: Callable[[HeadTold], None] = lambda _head: None,
        known_size: Callable[[], int] = lambda: 0,
        witnesses: WitnessPolicy = NO_WITNESSES,
    ) -> None:
        self._node = node
        self._request_id = request_id
        self._limit = limit
        self._is_enough = is_enough
        self._wants_proof = wants_proof
        self._on_head = on_head
        self._known_size = known_size
        self._witnesses = witnesses
        self._questions: dict[str, _Question[W]] = {}

    def is_full(self, beside: int = 0) -> bool:
        """Whether no more names may be asked about, if `beside` others are."""
        return len(self._questions) + beside >= self._limit

    def waiting(self, name: str) -> list[W]:
        """Those who wait for this name; may be added to. Empty if it is not being fetched."""
        question = self._questions.get(name)
        return [] if question is None else question.waiting

    def start(self, name: str, waiter: W) -> m.Lookup:
        """Begin to fetch a name that is not being fetched. Returns the request to send."""
        question = _Question([waiter], self._wants_proof is not None and self._wants_proof(name))
        self._questions[name] = question
        return self._look_up(name, question)

    def is_of_then(self, name: str, proof: MapProof) -> bool:
        """Whether a proof is of an older epoch than was known when the name was asked about: it says nothing of now."""
        question = self._questions.get(name)
        return question is not None and proof.size < question.known

    def end(self, name: str) -> list[W]:
        """Forget the name. Returns those who waited for it."""
        question = self._questions.pop(name, None)
        return [] if question is None else question.waiting

    def take(
        self, name: str, answer: m.Answer, frame: bytes
    ) -> m.Lookup | m.History | WorkWanted | FoundRecord | m.Refused | m.Absent | None:
        """Take an answer of the node about a name, and its frame: the next request to send, at once or when the work
        for it is done, or how the fetch came out.

        `Absent` is proved, `Refused` is not. None for a name that is not being fetched. The caller ends the fetch,
        also after an error. Raises `RemoteProtocolError` for a record, a chain or a proof that can't be true, and for
        an answer that does not fit.
        """
        question = self._questions.get(name)
        match answer:
            case _ if question is None:
                return None
            case m.Refused(code=Code.WORK_WANTED, detail=ticket):
                return self._pay(question, answer, ticket)
            case m.Refused():
                return answer
            case m.Absent() if question.prove:
                head = verify_absence(self._node, name, answer)
                self._take_head(name, head, answer.proof)
                if self._witnesses.is_met(head, answer.cosignatures):
                    return answer
                return m.Refused(answer.request_id, Code.NO_SUCH_USER, 0)
            case m.Proved(record=record) if question.prove:
                verify_record(self._node, name, record)
                head = verify_proved(self._node, name, answer)
                self._take_head(name, head, answer.proof)
                question.log_size, question.promise = head.size, frame
                question.lacks_witnesses = not self._witnesses.is_met(head, answer.cosignatures)
                return self._take_record(name, question, record)
            case m.Promised(record=record) if question.prove:
                verify_record(self._node, name, record)
                verify_promised(name, answer)
                question.log_size, question.promise = None, frame
                return self._take_record(name, question, record)
            case m.Found(record=record):
                verify_record(self._node, name, record)
                question.log_size, question.promise = None, None
                return self._take_record(name, question, record)
            case m.Links(links=links, total=total) if question.record is not None:
                part = min(SUCCESSIONS_PER_ANSWER_MAX, total - len(question.links))
                if total > SUCCESSIONS_MAX or len(links) < part:
                    raise RemoteProtocolError(Code.SUCCESSION_INVALID, "a chain in more parts than any has")
                question.links.extend(links)
                if len(question.links) < total:
                    return self._ask_links(name, question)
                chain = tuple(question.links)
                verify_chain(self._node, name, chain)
                if _is_ahead(chain[-1], question.record) and question.overtaken < OVERTAKEN_MAX:
                    question.record, question.links = None, []
                    question.overtaken += 1
                    return self._look_up(name, question)
                verify_record_in_chain(self._node, name, chain, question.record)
                return _found(question, question.record, chain)
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "an answer that does not fit")

    def _pay(self, question: _Question[W], answer: m.Refused, ticket: int) -> WorkWanted | m.Refused:
        """Ask the same again with work, unless it is too much, or was done twice."""
        if question.asked is None or question.paid == PAID_MAX or bits_of(ticket) > LOOKUP_BITS_MAX:
            return replace(answer, code=Code.BUSY, detail=BUSY_RETRY_S)
        question.paid += 1
        return WorkWanted(replace(question.asked, request_id=self._request_id()), ticket)

    def work(
        self, wanted: WorkWanted, go_on: Callable[[WorkWanted], None], send: Callable[[m.Lookup | m.History], None]
    ) -> None:
        """Do a slice of the work, and `send` the request, or `go_on` with what is still wanted."""
        paid = search_payment(self._node, wanted.request, wanted.ticket, wanted.start, WORK_SLICE)
        if paid is None:
            go_on(replace(wanted, start=wanted.start + WORK_SLICE))
        else:
            send(replace(wanted.request, paid=paid))

    def _take_head(self, name: str, head: LogHead, proof: MapProof) -> None:
        self._on_head(signed_head(head, proof))
        if self.is_of_then(name, proof):
            raise RemoteProtocolError(Code.PROOF_INVALID, "a proof of an older epoch than the node had shown")

    def _look_up(self, name: str, question: _Question[W]) -> m.Lookup:
        question.known = self._known_size() if question.prove else 0
        question.asked = m.Lookup(self._request_id(), SURBS_REQUEST, name, int(question.prove))
        return question.asked

    def _take_record(self, name: str, question: _Question[W], record: KeyRecord) -> m.Lookup | m.History | FoundRecord:
        if self._is_enough(name, record):
            return _found(question, record, ())
        if self._wants_proof is not None and not question.prove:
            question.prove = True
            return self._look_up(name, question)
        question.record = record
        return self._ask_links(name, question)

    def _ask_links(self, name: str, question: _Question[W]) -> m.History:
        question.asked = m.History(self._request_id(), SURBS_REQUEST, name, len(question.links))
        return question.asked


def _found(question: _Question[W], record: KeyRecord, chain: tuple[Succession, ...]) -> FoundRecord:
    return FoundRecord(record, chain, question.log_size, question.lacks_witnesses, question.promise)


def _is_ahead(last: Succession, record: KeyRecord) -> bool:
    """Whether the chain ends in another identity that may have come after the record: the two answers are two moments.

    A recovery may have a lower number than the record of a thief, which it removed.
    """
    is_later = last.authority is Authority.RECOVERY or last.stub.number > record.number
    return is_later and last.stub.identity_key != record.identity_key
