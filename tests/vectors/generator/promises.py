"""Vectors of evidence about a node's directory: promises that it broke, and proofs that do not hold. Written from
docs/directory.md and docs/protocol.md, "Evidence"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.vectors.generator.base import NODE, NOW, OTHER_NODE, Vector, bad, good
from tests.vectors.generator.evidence import by, evidence, for_other_node, line
from tests.vectors.generator.frames import FOUND, Message, frame
from tests.vectors.generator.identity import C_LATER, A, B, C
from tests.vectors.generator.proofs import ABSENT, CHAINS, HERE, OTHERS, PROVED, Directory, wrong

PROMISE_BROKEN, FALSE_PROOF = 5, 6
SIZE = HERE.before + 1
"""Of the log whose head all proofs here show; it was made at `NOW`."""
ALICES = CHAINS["alice"]
PROMISED = HERE.promised("alice", C_LATER, C, SIZE - 2, NOW - 1)
FIRST = Directory(OTHERS | {"alice": ALICES[:1]}).promised("alice", A, None, SIZE - 2, NOW - 1)


def _with(events: list[tuple[int, bytes]]) -> Directory:
    return Directory(OTHERS | {"alice": events})


def _broken() -> Iterator[tuple[str, Message, Message]]:
    """What is shown, the promise, and the answer."""
    yield "an event is missing", PROMISED, _with(ALICES[:2]).proved("alice", B, None)[0]
    yield "all events are missing", PROMISED, _with(ALICES[:1]).proved("alice", A, None)[0]
    yield "the name is missing", FIRST, Directory(OTHERS).absent("alice")[0]
    yield "a deletion is in its place", PROMISED, _with([*ALICES[:2], (3, B.hash)]).absent("alice")[0]
    yield "another identity is in its place", FIRST, _with([(1, B.hash)]).proved("alice", B, None)[0]
    yield "another event is in its place", PROMISED, _with([*ALICES[:2], (4, C.hash)]).proved("alice", C, None)[0]
    yield "another past is before it", PROMISED, _with([ALICES[0], ALICES[0], ALICES[2]]).proved("alice", C, None)[0]


def _not_broken() -> Iterator[tuple[str, Message, Message]]:
    missing = _with(ALICES[:2]).proved("alice", B, None)[0]
    longer = _with([*ALICES, (3, C.hash)]).absent("alice")[0]
    yield "it was kept", PROMISED, PROVED
    yield "the chain is longer", PROMISED, longer
    yield "it is due when the epoch was made", PROMISED.replaced(6, NOW), missing
    yield "the epoch is the next after it", PROMISED.replaced(5, SIZE - 1), missing
    yield "the epoch is older than it", PROMISED.replaced(5, SIZE), missing
    yield "the proof is of another name", PROMISED, ABSENT
    yield "the proof does not hold", PROMISED, missing.replaced(1, "bob")
    yield "a promise in place of the proof", PROMISED, FIRST
    yield "a proof in place of the promise", missing, missing


def vectors() -> Sequence[Vector]:
    """All of them."""
    found = []
    for what, promise, answer in _broken():
        given = {"text": line(evidence(PROMISE_BROKEN, frame(promise), frame(answer)))}
        expect = {"node": NODE.public.hex(), "fault": PROMISE_BROKEN}
        found.append(good(f"evidence, a broken promise: {what}", "evidence", given, expect))
    for what, answer in wrong():
        given = {"text": line(evidence(FALSE_PROOF, frame(answer)))}
        expect = {"node": NODE.public.hex(), "fault": FALSE_PROOF}
        found.append(good(f"evidence, a false proof: {what}", "evidence", given, expect))
    for what, fields in _bad():
        found.append(bad(f"evidence, {what}", "evidence", {"text": line(fields)}, "EVIDENCE_INVALID"))
    return found


def _bad() -> Iterator[tuple[str, tuple[object, ...]]]:
    for what, promise, answer in _not_broken():
        yield f"no broken promise: {what}", evidence(PROMISE_BROKEN, frame(promise), frame(answer))
    _, promise, answer = next(_broken())
    said, shown, false = frame(promise), frame(answer), next(wrong())[1]
    yield "a broken promise of another node", evidence(PROMISE_BROKEN, by(OTHER_NODE, promise), shown)
    yield "a broken promise, shown by another node", evidence(PROMISE_BROKEN, said, by(OTHER_NODE, answer))
    yield "a broken promise for another node", evidence(PROMISE_BROKEN, for_other_node(promise), shown)
    yield "a broken promise, unsigned", evidence(PROMISE_BROKEN, said[:-64] + bytes(64), shown)
    yield "a broken promise alone", evidence(PROMISE_BROKEN, said)
    yield "a broken promise behind its proof", evidence(PROMISE_BROKEN, shown, said)
    yield "a broken promise, and a frame more", evidence(PROMISE_BROKEN, said, shown, frame(FOUND))
    yield "a proof that holds", evidence(FALSE_PROOF, frame(PROVED))
    yield "an absence that holds", evidence(FALSE_PROOF, frame(ABSENT))
    yield "a false proof of another node", evidence(FALSE_PROOF, by(OTHER_NODE, false))
    yield "a false proof for another node", evidence(FALSE_PROOF, for_other_node(false))
    yield "an answer without proof", evidence(FALSE_PROOF, frame(FOUND))
    yield "a promise as a false proof", evidence(FALSE_PROOF, said)
    yield "a false proof twice", evidence(FALSE_PROOF, frame(false), frame(false))
