"""Fetching a record and its chain: page by page, each name once, and nothing that does not verify."""

from __future__ import annotations

import itertools
from functools import cache

import msgspec
import pytest

from tests.helpers.refusals import refusal
from usernym.actors.lookup.chain_fetch import OVERTAKEN_MAX, ChainFetch
from usernym.actors.messages import FoundRecord
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.records import (
    NO_PREVIOUS,
    Authority,
    KeyRecord,
    Succession,
    authorise,
    first_succession,
    record_hash,
    sign_record,
)
from usernym.protocol.sealing import MessageKey
from usernym.protocol.signing import SigningKey

NODE, NAME = b"n" * 32, "alice"
LINKS, PAGE = 20, 16
HPKE = MessageKey.from_seed(bytes(32)).public


def _key(number: int) -> SigningKey:
    return SigningKey.from_seed(number.to_bytes(32, "big"))


@cache
def _life() -> tuple[KeyRecord, tuple[Succession, ...]]:
    """A record whose chain has `LINKS` links, more than a node sends at once."""
    recovery = _key(999).public
    unsigned = KeyRecord(1, 0, _key(0).public, recovery, HPKE, 1, 20_000, NO_PREVIOUS, b"")
    record = sign_record(_key(0), NODE, NAME, unsigned)
    chain = [first_succession(record)]
    for at in range(1, LINKS):
        previous = record_hash(NODE, NAME, record.stub())
        unsigned = msgspec.structs.replace(
            record, number=at + 1, identity_key=_key(at).public, previous=previous, signature=b""
        )
        record = sign_record(_key(at), NODE, NAME, unsigned)
        chain.append(authorise(_key(at - 1), NODE, NAME, record.stub(), Authority.IDENTITY))
    return record, tuple(chain)


def _fetch(*, is_enough: bool = False, limit: int = 2) -> ChainFetch[str]:
    ids = itertools.count(1)
    return ChainFetch(NODE, lambda: next(ids).to_bytes(8, "big"), limit, lambda _name, _record: is_enough)


def test_a_chain_is_fetched_page_by_page_and_verified() -> None:
    record, chain = _life()
    fetch = _fetch()
    assert isinstance(fetch.start(NAME, "who asks"), m.Lookup)
    asked = fetch.take(NAME, m.Found(bytes(8), record), b"")
    pages = []
    while isinstance(asked, m.History):
        pages.append(asked.start)
        asked = fetch.take(NAME, m.Links(bytes(8), chain[asked.start : asked.start + PAGE], LINKS), b"")
    assert pages == [0, PAGE]
    assert asked == FoundRecord(record, chain)
    assert fetch.end(NAME) == ["who asks"]
    assert fetch.end(NAME) == []


def test_a_record_that_is_enough_is_found_without_its_chain() -> None:
    record, _ = _life()
    fetch = _fetch(is_enough=True)
    fetch.start(NAME, "who asks")
    assert fetch.take(NAME, m.Found(bytes(8), record), b"") == FoundRecord(record, ())


def test_a_refusal_is_passed_on() -> None:
    fetch = _fetch()
    fetch.start(NAME, "who asks")
    refused = m.Refused(bytes(8), int(Code.NO_SUCH_USER), 0)
    assert fetch.take(NAME, refused, b"") is refused


def test_what_is_not_being_fetched_is_not_looked_at() -> None:
    record, _ = _life()
    assert _fetch().take(NAME, m.Found(bytes(8), record), b"") is None


def test_who_asks_for_the_same_name_waits_for_the_same_answer_and_names_are_bounded() -> None:
    fetch = _fetch(limit=2)
    fetch.start("alice", "first")
    fetch.waiting("alice").append("second")
    assert fetch.waiting("bob") == []
    assert not fetch.is_full()
    assert fetch.is_full(beside=1)
    fetch.start("bob", "third")
    assert fetch.is_full()
    assert fetch.end("alice") == ["first", "second"]
    assert not fetch.is_full()


@pytest.mark.parametrize("cut", [0, 1, LINKS - 1])
def test_a_chain_that_is_not_whole_is_refused(cut: int) -> None:
    record, chain = _life()
    fetch = _fetch()
    fetch.start(NAME, "who asks")
    fetch.take(NAME, m.Found(bytes(8), record), b"")
    with pytest.raises(RemoteProtocolError) as refused:
        fetch.take(NAME, m.Links(bytes(8), chain[:cut], cut), b"")
    assert refused.value.code is Code.SUCCESSION_INVALID


@pytest.mark.parametrize(("part", "total"), [(1, LINKS), (0, LINKS), (4, 5), (5, 65), (5, 255)])
def test_a_node_can_not_cut_a_chain_into_as_many_requests_as_it_likes(part: int, total: int) -> None:
    record, chain = _life()
    fetch = _fetch()
    fetch.start(NAME, "who asks")
    fetch.take(NAME, m.Found(bytes(8), record), b"")
    assert refusal(lambda: fetch.take(NAME, m.Links(bytes(8), chain[:part], total), b"")) is Code.SUCCESSION_INVALID


def test_another_names_record_is_refused() -> None:
    record, _ = _life()
    fetch = _fetch()
    fetch.start("alicf", "who asks")
    assert refusal(lambda: fetch.take("alicf", m.Found(bytes(8), record), b"")) is Code.RECORD_INVALID


def test_links_without_a_record_and_any_other_answer_are_refused() -> None:
    _, chain = _life()
    fetch = _fetch()
    fetch.start(NAME, "who asks")
    for answer in (m.Links(bytes(8), chain[:1], 1), m.Accepted(bytes(8))):
        assert refusal(lambda answer=answer: fetch.take(NAME, answer, b"")) is Code.UNEXPECTED  # type: ignore[misc]


def test_a_name_that_gets_another_identity_between_two_answers_is_asked_about_again() -> None:
    """The record and its chain are two requests: an honest node may have taken a succession between them."""
    record, chain = _life()
    before = _record_of(chain, LINKS - 2)
    fetch = _fetch()
    fetch.start(NAME, "who asks")
    asked = fetch.take(NAME, m.Found(bytes(8), before), b"")
    while isinstance(asked, m.History):
        asked = fetch.take(NAME, m.Links(bytes(8), chain[asked.start : asked.start + PAGE], LINKS), b"")
    assert isinstance(asked, m.Lookup)
    asked = fetch.take(NAME, m.Found(bytes(8), record), b"")
    while isinstance(asked, m.History):
        asked = fetch.take(NAME, m.Links(bytes(8), chain[asked.start : asked.start + PAGE], LINKS), b"")
    assert asked == FoundRecord(record, chain)
    assert fetch.end(NAME) == ["who asks"]


def test_a_node_cannot_keep_a_fetch_going_with_a_record_that_its_chain_has_left_behind() -> None:
    _, chain = _life()
    before = _record_of(chain, 0)
    fetch = _fetch()
    fetch.start(NAME, "who asks")
    for _ in range(OVERTAKEN_MAX):
        fetch.take(NAME, m.Found(bytes(8), before), b"")
        assert isinstance(fetch.take(NAME, m.Links(bytes(8), chain[:2], 2), b""), m.Lookup)
    fetch.take(NAME, m.Found(bytes(8), before), b"")
    assert refusal(lambda: fetch.take(NAME, m.Links(bytes(8), chain[:2], 2), b"")) is Code.SUCCESSION_INVALID


def _record_of(chain: tuple[Succession, ...], at: int) -> KeyRecord:
    """The record whose stub is this link's."""
    stub = chain[at].stub
    unsigned = KeyRecord(
        stub.number, stub.recoveries, stub.identity_key, stub.recovery_key, HPKE, stub.hpke_number,
        stub.made_on, stub.previous, b"",
    )  # fmt: skip
    return sign_record(_key(at), NODE, NAME, unsigned)
