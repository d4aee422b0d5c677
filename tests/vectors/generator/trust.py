"""Vectors of key records and chains of identities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from tests.vectors.generator.base import (
    ALICE,
    ALICE_2,
    ALICE_3,
    ALICE_RECOVERY,
    ALICE_RECOVERY_2,
    NODE,
    OTHER_NODE,
    SMALL_ORDER,
    THIEF,
    Vector,
    bad,
    fixed,
    good,
    message_key,
    pack,
    plain,
    signer,
    unusable,
)
from tests.vectors.generator.identity import A_LATER, C_LATER, NAME, A, B, C, Rec, T, by_identity, by_recovery, first

Link = tuple[object, ...]
WHERE: Final = {"node": NODE.public.hex(), "name": NAME}
THIEF_RECOVERY: Final = signer("the thief's recovery key")


def _record_input(data: bytes) -> dict[str, object]:
    return {"record": data.hex(), **WHERE}


def _good_records() -> Iterator[Vector]:
    for what, rec in {
        "first": A,
        "later": A_LATER,
        "second identity": B,
        "recovered": C,
        "largest numbers": replace(A, number=2**32 - 1, recoveries=255, hpke_number=2**32 - 1, made_on=2**32 - 1),
    }.items():
        data = pack(rec.fields)
        expect = {
            "fields": plain(rec.fields),
            "stub": pack(rec.stub).hex(),
            "record_hash": rec.hash.hex(),
            "whole_hash": hashlib.sha256(data).hexdigest(),
        }
        yield good(f"record, {what}", "record", _record_input(data), expect)


def _bad_records() -> Iterator[Vector]:
    for what, rec in {
        "signed by another": replace(A, signer=THIEF),
        "signed by the recovery key": replace(A, signer=ALICE_RECOVERY),
        "signed for another node": replace(A, node=OTHER_NODE.public),
        "signed for another name": replace(A, name="alicf"),
        "signed for a longer name": replace(A, name="alice_"),
        "signed as a succession": replace(A, context="succession"),
        "signed as a record's hash": replace(A, context="record hash"),
        "signed as a request": replace(A, context="request"),
        "identity is the recovery key": replace(A, recovery=ALICE.public),
        "identity is no key": replace(A, identity=fixed("no key")),
    }.items():
        yield bad(f"record, {what}", "record", _record_input(pack(rec.fields)), "RECORD_INVALID")
    for what, key in SMALL_ORDER.items():
        weak = replace(A, recovery=key)
        yield bad(
            f"record, recovery key of small order: {what}", "record", _record_input(pack(weak.fields)), "RECORD_INVALID"
        )
    weak_fields = list(replace(A, identity=SMALL_ORDER["order 1"]).fields)
    weak_fields[8] = b"\x01" + bytes(63)
    yield bad("record, identity of small order", "record", _record_input(pack(weak_fields)), "RECORD_INVALID")
    for what, key in unusable(A.hpke).items():
        data = pack(replace(A, hpke=key).fields)
        yield bad(f"record, a message key {what}", "record", _record_input(data), "RECORD_INVALID")
    changes: dict[int, object] = {
        0: 2,
        1: 1,
        2: THIEF.public,
        3: THIEF.public,
        4: message_key("other message key"),
        5: 2,
        6: A.made_on + 1,
        7: fixed("previous"),
        8: bytes(64),
    }
    for at, value in changes.items():
        fields = (*A.fields[:at], value, *A.fields[at + 1 :])
        yield bad(f"record, field {at} changed after signing", "record", _record_input(pack(fields)), "RECORD_INVALID")
    broken: dict[int, object] = {
        0: 0,
        1: 256,
        2: ALICE.public[:-1],
        4: fixed("short", 1215),
        5: 0,
        6: 2**32,
        7: b"",
        8: None,
    }
    for at, value in broken.items():
        fields = (*A.fields[:at], value, *A.fields[at + 1 :])
        yield bad(f"record, field {at} out of bounds", "record", _record_input(pack(fields)), "MALFORMED")
    data = pack(A.fields)
    yield bad("record, a byte behind it", "record", _record_input(data + b"\0"), "MALFORMED")
    yield bad("record, its last byte missing", "record", _record_input(data[:-1]), "MALFORMED")
    yield bad("record, its short form", "record", _record_input(pack(A.stub)), "MALFORMED")
    yield bad("record, number in uint8", "record", _record_input(b"\x99\xcc\1" + data[2:]), "MALFORMED")


def _chain(links: Sequence[Link], record: Rec | None = None) -> dict[str, object]:
    given: dict[str, object] = {"links": [pack(link).hex() for link in links], **WHERE}
    if record is not None:
        given["record"] = pack(record.fields).hex()
    return given


D: Final = C.then(signer("alice's identity 3"), hpke_number=5)
GOOD_CHAIN: Final = (first(A), by_identity(B, ALICE), by_recovery(C, ALICE_RECOVERY))


def _long(length: int) -> list[Link]:
    links, last = [first(A)], A
    for at in range(1, length):
        rec = last.then(signer(f"identity {at} of many"))
        links.append(by_identity(rec, last.key))
        last = rec
    return links


def _good_chains() -> Iterator[Vector]:
    for what, links, record in (
        ("one link, its own record", GOOD_CHAIN[:1], A),
        ("one link, a later record", GOOD_CHAIN[:1], A_LATER),
        ("two links", GOOD_CHAIN[:2], B),
        ("three links", GOOD_CHAIN, C),
        ("three links, a later record", GOOD_CHAIN, C_LATER),
        ("recovery that keeps its key", (first(A), by_recovery(A.then(ALICE_2, recoveries=1), ALICE_RECOVERY)), None),
        ("a succession after a recovery", (*GOOD_CHAIN, by_identity(D, ALICE_3)), D),
        ("sixty-four links", _long(64), None),
    ):
        yield good(f"chain, {what}", "chain", _chain(links, record), {"links": len(links)})


def _bad_chains() -> Iterator[Vector]:
    start, second, third = GOOD_CHAIN
    stub = B.stub
    for what, links in {
        "no link": (),
        "sixty-five links": _long(65),
        "without its start": (second, third),
        "a link left out": (start, third),
        "out of order": (start, third, second),
        "a link twice": (start, second, second),
        "two starts": (start, start),
        "the start signed by an authority": ((A.stub, 0, ALICE.sign("succession", A.signed_part)), second),
        "the start called an identity's": ((A.stub, 1, b""), second),
        "the start has a previous": (first(replace(A, previous=fixed("previous"))),),
        "the start has number 2": (first(replace(A, number=2)),),
        "the start has recoveries": (first(replace(A, recoveries=1)),),
        "allowed by nobody": (start, (stub, 1, b"")),
        "allowed by the new identity": (start, by_identity(B, ALICE_2)),
        "allowed by a thief": (start, by_identity(B, THIEF)),
        "allowed by the recovery key in the identity's name": (start, by_identity(B, ALICE_RECOVERY)),
        "allowed under a record's label": (start, (stub, 1, ALICE.sign("record", B.signed_part))),
        "allowed under a request's label": (start, (stub, 1, ALICE.sign("request", B.signed_part))),
        "authority's signature cut": (start, (stub, 1, ALICE.sign("succession", B.signed_part)[:-1])),
        "authority changed to recovery": (start, (stub, 2, ALICE.sign("succession", B.signed_part))),
        "authority changed to first": (start, (stub, 0, b"")),
        "the identity key changes the recovery key": (
            start,
            by_identity(A.then(ALICE_2, recovery=ALICE_RECOVERY_2.public), ALICE),
        ),
        "the identity key changes the recovery key and counts a recovery": (
            start,
            by_identity(A.then(ALICE_2, recovery=ALICE_RECOVERY_2.public, recoveries=1), ALICE),
        ),
        "the new recovery key allows itself": (
            start,
            by_recovery(A.then(ALICE_2, recovery=THIEF_RECOVERY.public, recoveries=1), THIEF_RECOVERY),
        ),
        "a recovery by the identity key": (start, by_recovery(A.then(ALICE_2, recoveries=1), ALICE)),
        "an uncounted recovery": (start, by_recovery(A.then(ALICE_2), ALICE_RECOVERY)),
        "a recovery counted twice": (start, by_recovery(A.then(ALICE_2, recoveries=2), ALICE_RECOVERY)),
        "the replaced recovery key allows": (
            *GOOD_CHAIN,
            by_recovery(C.then(THIEF, recoveries=2), ALICE_RECOVERY),
        ),
        "the same identity again": (start, by_recovery(A.then(ALICE, recoveries=1), ALICE_RECOVERY)),
        "the number stays": (start, by_identity(replace(A.then(ALICE_2), number=1), ALICE)),
        "previous of zeros": (start, by_identity(replace(A.then(ALICE_2), previous=bytes(32)), ALICE)),
        "previous is a later record": (start, by_identity(A_LATER.then(ALICE_2), ALICE)),
        "a fork's link on the other branch": (start, by_identity(T, ALICE), third),
    }.items():
        yield bad(f"chain, {what}", "chain", _chain(links), "SUCCESSION_INVALID")
    forged_start = replace(A, signer=THIEF)
    yield bad(
        "chain, a start that its identity did not sign", "chain", _chain((first(forged_start),)), "RECORD_INVALID"
    )
    unsigned = replace(B, signer=ALICE)
    yield bad(
        "chain, the new identity did not sign", "chain", _chain((start, by_identity(unsigned, ALICE))), "RECORD_INVALID"
    )
    for what, fields in {"node": {"node": OTHER_NODE.public}, "name": {"name": "bob"}}.items():
        other = replace(A, **fields)  # type: ignore[arg-type]
        yield bad(f"chain, of another {what}", "chain", _chain((first(other),)), "RECORD_INVALID")
    for what, links, record in (
        ("of the identity before", GOOD_CHAIN, B),
        ("of an identity that is not in it", GOOD_CHAIN[:2], T),
        ("that names another record", GOOD_CHAIN[:1], replace(A_LATER, previous=fixed("previous"))),
        ("with the link's number and another key", GOOD_CHAIN[:1], replace(A_LATER, number=1)),
        (
            "whose recovery key the identity key changed",
            GOOD_CHAIN[:1],
            replace(A_LATER, recovery=THIEF_RECOVERY.public),
        ),
        ("whose recoveries the identity key raised", GOOD_CHAIN[:1], replace(A_LATER, recoveries=1)),
    ):
        yield bad(f"chain, a record {what}", "chain", _chain(links, record), "SUCCESSION_INVALID")
    yield bad(
        "chain, a record that its identity did not sign",
        "chain",
        _chain(GOOD_CHAIN[:1], replace(A_LATER, signer=THIEF)),
        "RECORD_INVALID",
    )


def _extensions() -> Iterator[Vector]:
    """A node extends its chain."""
    stolen = (first(A), by_identity(T, ALICE))
    recovered = by_recovery(A.then(ALICE_2, recoveries=1), ALICE_RECOVERY)
    behind = by_recovery(T.then(ALICE_2, recoveries=1), ALICE_RECOVERY)
    full = _long(64)
    last_number = replace(T, number=2**32 - 1)
    exhausted = (first(A), by_identity(last_number, ALICE))
    start, second, third = GOOD_CHAIN

    def given(chain: Sequence[Link], link: Link) -> dict[str, object]:
        return {**_chain(chain), "succession": pack(link).hex()}

    taken: Sequence[tuple[str, Sequence[Link], Link, int]] = (
        ("by the identity key", (start,), second, 1),
        ("by the recovery key", (start, second), third, 2),
        ("by the recovery key, behind the thief's link", stolen, behind, 2),
        ("by the recovery key, the thief's link falls away", stolen, recovered, 1),
        ("by the recovery key, a full chain falls away", full, recovered, 1),
        ("by the recovery key, a thief used up the numbers", exhausted, recovered, 1),
    )
    for what, chain, link, kept in taken:
        expect = {"links": [pack(each).hex() for each in (*chain[:kept], link)]}
        yield good(f"extend, {what}", "extend", given(chain, link), expect)
    after = replace(D, number=C.number + 1)
    refused: Sequence[tuple[str, Sequence[Link], Link]] = (
        ("by the identity key, at an earlier link", stolen, by_identity(B, ALICE)),
        ("by the identity key, a full chain", full, by_identity(_last(63).then(THIEF), signer("identity 63 of many"))),
        (
            "by the recovery key, before a recovery",
            (start, recovered),
            by_recovery(A.then(ALICE_3, recoveries=1), ALICE_RECOVERY),
        ),
        ("by the replaced recovery key", GOOD_CHAIN, by_recovery(C.then(THIEF, recoveries=2), ALICE_RECOVERY)),
        ("the last link again", GOOD_CHAIN, third),
        ("a start", (start,), first(A)),
        ("a link that follows nothing here", (start,), by_identity(after, ALICE_3)),
        (
            "a recovery that follows nothing here",
            (start, second),
            by_recovery(replace(C, previous=fixed("previous")), ALICE_RECOVERY),
        ),
    )
    for what, chain, link in refused:
        yield bad(f"extend, {what}", "extend", given(chain, link), "SUCCESSION_INVALID")


def _last(index: int) -> Rec:
    """The record of link `index` of the long chain."""
    last = A
    for at in range(1, index + 1):
        last = last.then(signer(f"identity {at} of many"))
    return last


def _follows() -> Iterator[Vector]:
    """Whether a contact follows a chain from what it pinned."""
    stolen = (first(A), by_identity(T, ALICE))
    own = replace(A, key=THIEF, recovery=THIEF_RECOVERY.public)
    from_own = own.then(ALICE, recoveries=1)
    borrowed = replace(A, key=THIEF)
    kept = A.then(ALICE_2, recoveries=1)
    again = kept.then(ALICE_3, recoveries=2)
    recovered = A.then(ALICE_2, recoveries=1, recovery=ALICE_RECOVERY_2.public)
    for what, pinned, links, accepted in (
        ("the pinned identity is the last", A, (first(A),), True),
        ("the pinned record is a later one of a link", A_LATER, GOOD_CHAIN, True),
        ("two changes missed", A, GOOD_CHAIN, True),
        ("one change missed", B, GOOD_CHAIN, True),
        ("the thief's succession, the owner pinned", A, stolen, True),
        ("recovery beats the thief's accepted succession", T, (first(A), by_recovery(recovered, ALICE_RECOVERY)), True),
        (
            "recovery behind the thief's succession",
            T,
            (*stolen, by_recovery(T.then(ALICE_2, recoveries=1), ALICE_RECOVERY)),
            True,
        ),
        (
            "a second recovery beats a thief of the first",
            replace(T, recoveries=1),
            (first(A), by_recovery(kept, ALICE_RECOVERY), by_recovery(again, ALICE_RECOVERY)),
            True,
        ),
        ("the thief's fork after the recovery", recovered, stolen, False),
        ("a recovery shown again after a newer one", again, (first(A), by_recovery(kept, ALICE_RECOVERY)), False),
        (
            "a fork by the replaced recovery key",
            recovered,
            (first(A), by_recovery(A.then(THIEF, recoveries=1), ALICE_RECOVERY)),
            False,
        ),
        ("a chain of somebody else", A, (first(own),), False),
        (
            "a genesis of the thief's that leads to the pinned key",
            A,
            (first(own), by_recovery(from_own, THIEF_RECOVERY)),
            False,
        ),
        ("a genesis that borrows the recovery key", A, (first(borrowed),), False),
        ("an older identity", B, (first(A),), False),
        ("the other branch of a fork", T, GOOD_CHAIN[:2], False),
    ):
        yield good(
            f"follows, {what}",
            "follows",
            {**_chain(links), "pinned": pack(pinned.fields).hex()},
            {"accepted": accepted},
        )


def _updates() -> Iterator[Vector]:
    later = A_LATER
    for what, pinned, found, same in (
        ("the same record", A, A, True),
        ("a later record", A, later, True),
        ("another identity", A, B, False),
        ("the same message key under a new number", later, replace(later, number=6, hpke_number=5), True),
    ):
        yield good(f"update, {what}", "update", _pair(pinned, found), {"update": same})
    for what, pinned, found in (
        ("an older record", later, A),
        ("the same number, another record", later, replace(later, made_on=later.made_on + 1)),
        ("an older message key", later, replace(later, number=6, hpke_number=3)),
        ("another message key under the same number", later, replace(later, number=6, hpke=message_key("swapped"))),
    ):
        yield bad(f"update, {what}", "update", _pair(pinned, found), "RECORD_STALE")
    for what, found in {
        "another recovery key": replace(later, recovery=THIEF_RECOVERY.public),
        "more recoveries": replace(later, recoveries=1),
    }.items():
        yield bad(f"update, {what} by the identity key alone", "update", _pair(A, found), "SUCCESSION_INVALID")


def _pair(pinned: Rec, found: Rec) -> dict[str, object]:
    return {"pinned": pack(pinned.fields).hex(), "found": pack(found.fields).hex(), **WHERE}


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [
        *_good_records(),
        *_bad_records(),
        *_good_chains(),
        *_bad_chains(),
        *_extensions(),
        *_follows(),
        *_updates(),
    ]
