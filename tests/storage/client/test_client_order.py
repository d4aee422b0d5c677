"""The order of a conversation, beside a model that inserts into a list: what each sender wrote, by its counters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from usernym.storage.client.messages import HIGHER_LOOKED_AT_MAX, REORDER_S
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Message, Route, Trust

TEXT, FILE_OFFER = 1, 6


@dataclass
class Placed:
    """A text in the model."""

    number: int
    sender: str | None
    """None: written here."""
    counter: int = 0
    at: int = 0
    read: bool = False
    late: bool = False
    kind: int = TEXT


class Model:
    """A conversation as a list of groups, into which what comes is inserted: a group has the order of its counters."""

    def __init__(self) -> None:
        self.groups: list[list[Placed]] = []

    @property
    def texts(self) -> list[Placed]:
        return [text for group in self.groups for text in group]

    def append(self, text: Placed) -> None:
        self.groups.append([text])

    def came(self, text: Placed) -> None:
        higher = sorted(
            (each for each in self.texts if each.sender == text.sender and each.counter > text.counter),
            key=lambda each: each.counter,
        )
        near = [each for each in higher if not each.read or each.at >= text.at - REORDER_S]
        if near:
            group = next(group for group in self.groups if near[0] in group)
            group.append(text)
            group.sort(key=lambda each: each.counter)
        else:
            self.append(text)
        before = self.texts[: self.texts.index(text)]
        text.late = any(each.sender == text.sender and each.counter > text.counter for each in before)


def new_store() -> ClientStore:
    store = ClientStore.open_plain()
    for name in ("bob", "cat"):
        store.contacts.add(name, b"k" * 32, b"record", Trust.CONFIRMED, Consent.ACCEPTED)
    return store


def receive(
    store: ClientStore, number: int, counter: int, now: int = 1, contact: str = "bob", kind: int = TEXT
) -> None:
    assert store.messages.add_incoming(
        contact=contact, message_id=b"%016d" % number, key_number=1, counter=counter, kind=kind, body=b"%d" % number,
        token=None, sent_at=number, now=now, route=Route.NODE,
    )  # fmt: skip


def numbers(rows: list[Message]) -> list[int]:
    return [int(row.body) for row in rows]


COMES = st.tuples(st.just("comes"), st.integers(1, 12))
STEPS = st.lists(
    COMES
    | st.tuples(st.sampled_from(["written", "read"]), st.just(0))
    | st.tuples(st.just("wait"), st.integers(1, 900)),
    max_size=30,
)


BETWEEN_READ_ONES: Final[list[tuple[str, int]]] = [
    ("comes", 4), ("comes", 2), ("read", 0), ("wait", 492), ("comes", 3), ("wait", 109), ("comes", 1)
]  # fmt: skip
"""The last comes before one that has just come, and with it before one that was read long ago."""


@example(BETWEEN_READ_ONES, 1)
@examples(300)
@given(STEPS, st.integers(1, 5))
def test_the_order_is_that_of_a_list_into_which_each_text_is_inserted(steps: list[tuple[str, int]], page: int) -> None:
    store, model, now = new_store(), Model(), 1
    for number, (what, value) in enumerate(steps):
        match what:
            case "comes":
                if value not in {each.counter for each in model.texts if each.sender}:
                    kind = FILE_OFFER if number % 3 == 1 else TEXT
                    receive(store, number, value, now, kind=kind)
                    model.came(Placed(number, "bob", value, now, kind=kind))
            case "written":
                store.messages.add_outgoing("bob", b"%016d" % number, TEXT, b"%d" % number, b"t" * 16, now)
                model.append(Placed(number, None))
            case "read":
                store.messages.mark_shown([row.id for row in store.messages.unshown(99)], now)
                for each in model.texts:
                    each.read = True
            case "wait":
                now += value
    rows = list(store.messages.conversation("bob", 99))
    assert numbers(rows) == [each.number for each in model.texts]
    assert [row.late for row in rows] == [each.late for each in model.texts]
    texts = [each for each in model.texts if each.kind == TEXT]
    expected = [each.number for each in texts]
    assert numbers(list(store.history.of_kind("bob", TEXT, 99))) == expected
    unread = [each.number for each in texts if each.sender and not each.read]
    assert numbers(list(store.messages.unshown(99, {TEXT}))) == unread
    paged, before = list[int](), None
    while found := list(store.history.of_kind("bob", TEXT, page, before)):
        paged[:0] = numbers(found)
        before = found[0].id
    assert paged == expected, "the same in pages of any size"
    after, found_unread = 0, list[int]()
    while found := list(store.messages.unshown(page, {TEXT}, after)):
        found_unread += numbers(found)
        after = found[-1].id
    assert found_unread == unread
    store.close()


@given(st.permutations(range(1, 11)))
def test_ten_that_were_written_offline_stand_as_they_were_written(counters: list[int]) -> None:
    store = new_store()
    for number, counter in enumerate(counters):
        receive(store, number, counter)
        receive(store, 100 + number, number + 1, contact="cat")
    rows = store.history.of_kind("bob", TEXT, 99)
    assert [(row.counter, row.late) for row in rows] == [(counter, False) for counter in range(1, 11)]
    store.close()


def test_steps_of_a_handshake_neither_move_nor_are_moved_before() -> None:
    store = new_store()
    receive(store, 1, 5, kind=3)
    receive(store, 2, 4)
    receive(store, 3, 1, kind=4)
    assert [(row.counter, row.late) for row in store.messages.conversation("bob", 9)] == [
        (5, False), (4, False), (1, False),
    ]  # fmt: skip
    store.close()


def test_a_sender_who_counts_backwards_costs_a_bounded_search() -> None:
    store, numbered = new_store(), count()
    with store.transaction():
        for counter in range(1, HIGHER_LOOKED_AT_MAX + 2):
            receive(store, next(numbered), counter + 1)
        store.messages.mark_shown([row.id for row in store.messages.unshown(10_000)], 1)
        receive(store, next(numbered), 2 * HIGHER_LOOKED_AT_MAX, now=10_000)
    receive(store, next(numbered), 1, now=10_000)
    last = store.history.of_kind("bob", TEXT, 1)[0]
    assert (last.counter, last.late) == (1, True), "behind all, since the one to stand before is out of sight"
    store.close()


def test_a_row_that_is_gone_still_says_where_a_page_ends() -> None:
    store = new_store()
    receive(store, 1, 2)
    store.messages.add_outgoing("bob", b"%016d" % 2, TEXT, b"2", b"t" * 16, 1)
    receive(store, 3, 3)
    receive(store, 4, 1)
    own = store.history.of_kind("bob", TEXT, 9)[2]
    store.history.erase([own.id], TEXT)
    assert numbers(list(store.history.of_kind("bob", TEXT, 9, own.id))) == [4, 1]
    for row in (-1, 0, 10**30):
        assert len(store.history.of_kind("bob", TEXT, 9, row)) == (3 if row > 0 else 0)
    store.close()
