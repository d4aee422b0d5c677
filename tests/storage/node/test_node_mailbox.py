"""Undelivered messages: stored once, within limits, gone when acknowledged or expired."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.helpers.examples import examples
from usernym.storage.database import IN_MEMORY
from usernym.storage.node.mailbox import Enqueued
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore


def message_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def put(node: NodeStore, number: int, sender: str = "ann", recipient: str = "bob", expires_at: int = 100) -> Enqueued:
    return node.mailbox.enqueue(
        sender=sender,
        recipient=recipient,
        message_id=message_id(number),
        blob=b"blob %d" % number,
        now=5,
        expires_at=expires_at,
    )


def test_messages_wait_in_the_order_of_their_acceptance(node: NodeStore) -> None:
    for number in (3, 1, 2):
        put(node, number)
    put(node, 4, recipient="cat")
    found = node.mailbox.waiting("bob", 9)
    assert [each.message_id for each in found] == [message_id(3), message_id(1), message_id(2)]
    assert [each.message_id for each in node.mailbox.waiting("bob", 1, after=found[0].number)] == [message_id(1)]
    assert len(node.mailbox.waiting("bob", 9)) == 3
    first = found[0]
    assert (first.sender, first.recipient, first.blob, first.size) == ("ann", "bob", b"blob 3", 6)
    assert (first.accepted_at, first.expires_at) == (5, 100)


def test_only_the_recipient_acknowledges(node: NodeStore) -> None:
    put(node, 1)
    put(node, 2, sender="dan")
    put(node, 3)
    assert node.mailbox.acknowledge("cat", [("ann", message_id(1))]) == []
    assert node.mailbox.acknowledge("bob", [("dan", message_id(1)), ("ann", message_id(9))]) == []
    removed = node.mailbox.acknowledge("bob", [("ann", message_id(3)), ("dan", message_id(2)), ("ann", message_id(3))])
    assert [(each.sender, each.recipient, each.message_id) for each in removed] == [
        ("dan", "bob", message_id(2)),
        ("ann", "bob", message_id(3)),
    ]
    assert len(node.mailbox.waiting("bob", 9)) == 1
    assert node.mailbox.acknowledge("bob", []) == []


def test_more_acknowledgements_than_one_statement_takes(node: NodeStore) -> None:
    node.commit(lambda: [put(node, number) for number in range(1000)])
    removed = node.mailbox.acknowledge("bob", [("ann", message_id(number)) for number in reversed(range(1000))])
    assert [each.message_id for each in removed] == [message_id(number) for number in range(1000)]
    assert node.counts().messages == 0


def test_a_row_number_never_comes_back(node: NodeStore) -> None:
    put(node, 1)
    (first,) = node.mailbox.waiting("bob", 1)
    node.mailbox.acknowledge("bob", [("ann", message_id(1))])
    put(node, 1)
    assert node.mailbox.waiting("bob", 1)[0].number > first.number


def test_nothing_of_who_wrote_to_whom_outlives_the_message(node: NodeStore) -> None:
    put(node, 1, sender="secret_sender", recipient="secret_recipient")
    assert len(node.mailbox.waiting("secret_recipient", 9)) == 1
    node.mailbox.acknowledge("secret_recipient", [("secret_sender", message_id(1))])
    everything = repr([node.database.rows(f"SELECT * FROM {table}") for table in NODE_SCHEMA.tables])
    assert "secret_" not in everything


@dataclass
class Kept:
    sender: str
    recipient: str
    number: int
    size: int
    expires_at: int


PEOPLE = st.sampled_from(["ann", "bob", "cat"])
NUMBERS = st.integers(0, 9)


class MailboxMachine(RuleBasedStateMachine):
    """The mailbox against a list."""

    def __init__(self) -> None:
        super().__init__()
        self.store = NodeStore.open(IN_MEMORY, synchronous="OFF")
        self.kept: list[Kept] = []
        self.now = 0

    def teardown(self) -> None:
        self.store.close()

    @rule(sender=PEOPLE, recipient=PEOPLE, number=NUMBERS, size=st.integers(0, 30), term=st.integers(1, 5))
    def enqueue(self, sender: str, recipient: str, number: int, size: int, term: int) -> None:
        outcome = self.store.mailbox.enqueue(
            sender=sender,
            recipient=recipient,
            message_id=message_id(number),
            blob=bytes(size),
            now=self.now,
            expires_at=self.now + term,
        )
        assert outcome is self.expected(sender, recipient, number)
        if outcome is Enqueued.STORED:
            self.kept.append(Kept(sender, recipient, number, size, self.now + term))

    def expected(self, sender: str, recipient: str, number: int) -> Enqueued:
        if any((kept.sender, kept.recipient, kept.number) == (sender, recipient, number) for kept in self.kept):
            return Enqueued.DUPLICATE
        return Enqueued.STORED

    @rule(recipient=PEOPLE, ids=st.lists(st.tuples(PEOPLE, NUMBERS), max_size=4))
    def acknowledge(self, recipient: str, ids: list[tuple[str, int]]) -> None:
        removed = self.store.mailbox.acknowledge(recipient, [(sender, message_id(number)) for sender, number in ids])
        gone = [kept for kept in self.kept if kept.recipient == recipient and (kept.sender, kept.number) in ids]
        assert [(each.sender, each.message_id, each.size) for each in removed] == [
            (kept.sender, message_id(kept.number), kept.size) for kept in gone
        ]
        self.kept = [kept for kept in self.kept if kept not in gone]

    @rule(seconds=st.integers(0, 3), limit=st.integers(1, 3))
    def expire(self, seconds: int, limit: int) -> None:
        self.now += seconds
        removed = self.store.mailbox.expire(self.now, limit)
        overdue = [kept for kept in self.kept if kept.expires_at <= self.now]
        # Of those that expire together, by recipient; the sort keeps the order of acceptance.
        gone = sorted(overdue, key=lambda kept: (kept.expires_at, kept.recipient))[:limit]
        by_recipient = sorted(
            (kept for kept in self.kept if any(kept is each for each in gone)), key=lambda kept: kept.recipient
        )
        assert [each.message_id for each in removed] == [message_id(kept.number) for kept in by_recipient]
        self.kept = [kept for kept in self.kept if not any(kept is each for each in gone)]

    @invariant()
    def agrees(self) -> None:
        counts = self.store.counts()
        assert (counts.messages, counts.message_bytes) == (len(self.kept), _bytes(self.kept))
        for recipient in ("ann", "bob", "cat"):
            box = [kept for kept in self.kept if kept.recipient == recipient]
            assert [each.message_id for each in self.store.mailbox.waiting(recipient, 99)] == [
                message_id(kept.number) for kept in box
            ]
            shares = Counter(kept.sender for kept in box)
            listed = self.store.database.rows(
                "SELECT sender, count(*) FROM mail WHERE recipient = ? GROUP BY sender", (recipient,)
            )
            assert {sender: count for sender, count in listed} == shares  # noqa: C416 - rows are no pairs to mypy


def _bytes(kept: list[Kept]) -> int:
    return sum(each.size for each in kept)


TestMailboxAgainstAModel = MailboxMachine.TestCase
TestMailboxAgainstAModel.settings = examples(60, stateful_step_count=40)
