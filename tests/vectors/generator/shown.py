"""Vectors of what a node shows of its log at logins and heartbeats, and of evidence from it: docs/directory.md."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.vectors.generator.base import (
    NODE,
    NOW,
    OTHER_NODE,
    Signer,
    Vector,
    bad,
    fixed,
    good,
    labelled,
    pack,
    prefixed,
)
from tests.vectors.generator.directory import chain_of, label_of, log_root, map_root, vrf_public
from tests.vectors.generator.evidence import evidence, line
from tests.vectors.generator.frames import frame
from tests.vectors.generator.identity import C_LATER, A, B, C
from tests.vectors.generator.proofs import CHAINS, Directory, label_proof, path_to, subtrees
from tests.vectors.generator.proofs import OTHERS as OTHER_CHAINS

FORKED_LOG, NAME_CHANGED, CHAIN_REWRITTEN = 7, 8, 9
OTHERS = [(fixed(f"label {number}"), 1, fixed(f"head {number}")) for number in range(6)]


def covering(leaves: Sequence[bytes], start: int, end: int) -> list[bytes]:
    """The roots of the largest complete subtrees of the leaves from `start` to before `end`, from the left."""

    def within(first: int, width: int) -> list[bytes]:
        if first >= end or first + width <= start:
            return []
        if first >= start and first + width <= end:
            return [log_root(leaves[first : first + width])]
        return within(first, width // 2) + within(first + width // 2, width // 2)

    return within(0, 1 << (end or 1).bit_length())


@dataclass
class Log:
    """A log whose entries are made up, but for those of epochs with alice in their map."""

    marked: str = ""
    chains: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    """What alice's chain is in the epochs of these numbers."""
    _hashes: list[bytes] = field(default_factory=list)

    def entry(self, number: int) -> bytes:
        """The entry of an epoch."""
        if number not in self.chains:
            return fixed(f"{self.marked if number >= 40 else ''}entry {number}", 147)
        leaves = self.leaves(number)
        numbers = b"".join(each.to_bytes(8, "big") for each in (number, NOW, len(leaves)))
        return labelled("directory epoch", NODE.public + vrf_public(NODE) + numbers + map_root(leaves))

    def leaves(self, number: int) -> list[tuple[bytes, int, bytes]]:
        """The map of an epoch."""
        events = self.chains[number]
        return sorted([*OTHERS, (label_of(NODE, "alice"), len(events), chain_of(events)[1])])

    def hashes(self, size: int) -> list[bytes]:
        """The leaves of the log's tree."""
        for number in range(len(self._hashes), size):
            self._hashes.append(hashlib.sha256(b"\0" + self.entry(number)).digest())
        return self._hashes[:size]

    def signature(self, size: int, by: Signer = NODE) -> bytes:
        """The node's, over the head of so many entries."""
        root = base64.b64encode(log_root(self.hashes(size))).decode()
        return by.sign_bare(f"usernym/directory/{NODE.public.hex()}\n{size}\n{root}\n".encode())

    def head(self, size: int) -> tuple[object, ...]:
        """The fields of `SignedHead`."""
        return size, log_root(self.hashes(size)), self.signature(size)

    def way(self, size: int) -> tuple[bytes, list[bytes]]:
        """The depths and the hashes on the way to alice's leaf in the newest epoch."""
        _, nodes = path_to(label_of(NODE, "alice"), self.leaves(size - 1))
        return bytes(depth for depth, _ in nodes), [sibling for _, sibling in nodes]

    def proof(self, size: int) -> tuple[object, ...]:
        """The fields of `MapProof` for alice."""
        depths, siblings = self.way(size)
        hashes = b"".join(siblings + subtrees(self.hashes(size - 1)))
        names = len(self.leaves(size - 1))
        return label_proof(NODE, "alice"), vrf_public(NODE), size, NOW, names, self.signature(size), depths, hashes

    def shown(
        self, size: int, known: int, other: int = 0, *, leaf: bool = True, label: bool = True
    ) -> tuple[object, ...]:
        """The fields of `LogShown`."""
        hashes = self.hashes(size)
        parts = [*covering(hashes, known, size - 1), hashes[-1]] if size > known else []
        own = None
        if leaf and not other:
            depths, siblings = self.way(size)
            events = self.chains[size - 1]
            before = chain_of(events[:-1])[1]
            proof = (vrf_public(NODE), label_proof(NODE, "alice"), before) if label else None
            own = (NOW, len(self.leaves(size - 1)), len(events), chain_of(events)[1], depths, proof)
            parts += siblings
        if other:
            parts += subtrees(hashes[:other]) + covering(hashes, other, known)
        return size, self.signature(size), own, b"".join(parts), b""

    def known(self, size: int) -> dict[str, object]:
        """What a client knows of it."""
        hashes = self.hashes(size)
        peaks = b"".join(subtrees(hashes[:-1]))
        return {"size": size, "peaks": peaks.hex(), "newest": hashes[-1].hex(), "signature": self.signature(size).hex()}


REGISTERED = [(1, A.hash)]
CHANGED = [*REGISTERED, (2, B.hash)]
LOG = Log(chains={0: REGISTERED, 69: REGISTERED, 99: CHANGED})
FORKED = Log("other ", {69: REGISTERED, 99: CHANGED})


def _shown(
    log: Log, size: int, known: int, other: int = 0, **kinds: bool
) -> tuple[dict[str, object], dict[str, object]]:
    shown = log.shown(size, known, other, **kinds)
    given: dict[str, object] = {
        "node": NODE.public.hex(), "name": "alice", "identity": A.hash.hex(),
        "known": log.known(known) if known else None, "asked": [known, other, int(kinds.get("label", True))],
        "shown": pack(shown).hex(),
    }  # fmt: skip
    root = log_root(log.hashes(size)).hex()
    earlier = log_root(log.hashes(other)).hex() if other else None
    return given, {"size": size, "root": root, "own": None, "earlier": earlier}


def _good() -> Iterator[Vector]:
    own = {"own": [1, 1]}
    for what, log, size, known in (
        ("the first epoch, to a client that knows nothing", LOG, 1, 0),
        ("seventy epochs, to a client that knows nothing", LOG, 70, 0),
        ("the same log as before", LOG, 70, 70),
        ("an epoch more", LOG, 70, 69),
        ("many more", LOG, 70, 3),
    ):
        given, expect = _shown(log, size, known)
        yield good(f"log shown, {what}", "log_shown", given, expect | own)
    given, expect = _shown(LOG, 100, 70)
    yield good("log shown, the name of another identity", "log_shown", given, expect)
    for other in (1, 32, 69, 70):
        given, expect = _shown(LOG, 81, 70, other)
        yield good(f"log shown, with the log of {other} entries", "log_shown", given, expect)
    given, expect = _shown(LOG, 81, 70, leaf=False)
    yield good("log shown, without the leaf", "log_shown", given, expect)


def _bad() -> Iterator[Vector]:
    given, _ = _shown(LOG, 70, 3)
    size, signature, own, hashes, none = LOG.shown(70, 3)
    assert isinstance(own, tuple)
    assert isinstance(hashes, bytes)
    for what, changed in {
        "a hash less": (size, signature, own, hashes[:-32], none),
        "a hash more": (size, signature, own, hashes + bytes(32), none),
        "a byte more": (size, signature, own, hashes + b"\0", none),
        "another hash": (size, signature, own, bytes(32) + hashes[32:], none),
        "another size": (71, signature, own, hashes, none),
        "another's signature": (size, LOG.signature(70, OTHER_NODE), own, hashes, none),
        "another number of events": (size, signature, (*own[:2], 2, *own[3:]), hashes, none),
        "another head of the chain": (size, signature, (*own[:3], bytes(32), *own[4:]), hashes, none),
        "another label's proof": (
            size, signature, (*own[:5], (vrf_public(NODE), label_proof(NODE, "bob"), bytes(32))), hashes, none
        ),
        "no label": (size, signature, (*own[:5], None), hashes, none),
        "another time": (size, signature, (NOW + 1, *own[1:]), hashes, none),
    }.items():  # fmt: skip
        yield bad(f"log shown, {what}", "log_shown", given | {"shown": pack(changed).hex()}, "PROOF_INVALID")
    for what, known, shown in (
        ("an older log", 81, LOG.shown(70, 0)),
        ("another log of the same size", 70, FORKED.shown(70, 70)),
        ("a log that forked before what is known", 60, FORKED.shown(70, 60)),
        ("an earlier log that was not asked about", 70, LOG.shown(81, 70, 32, leaf=False)),
    ):
        given = _shown(LOG, 70, known if known <= 70 else 0)[0] | {"known": LOG.known(known), "asked": [known, 0, 1]}
        yield bad(f"log shown, {what}", "log_shown", given | {"shown": pack(shown).hex()}, "PROOF_INVALID")
    given, _ = _shown(LOG, 81, 70, 32)
    forked = FORKED.hashes(60)
    other = pack((81, LOG.signature(81), None, b"".join(
        [*covering(LOG.hashes(81), 70, 80), LOG.hashes(81)[80], *subtrees(forked[:60]), *covering(forked, 60, 60)]
    ), b""))  # fmt: skip
    yield bad("log shown, another log's beginning", "log_shown",
              given | {"asked": [70, 60, 1], "shown": other.hex()}, "PROOF_INVALID")  # fmt: skip


def _fork(lower: tuple[object, ...], higher: tuple[object, ...], hashes: Sequence[bytes] = ()) -> tuple[object, ...]:
    return evidence(FORKED_LOG, pack((lower, higher, b"".join(hashes))))


def _change(before: int = 70, after: int = 100, **other: object) -> tuple[object, ...]:
    """A change of alice's name, which the holder of A says is not theirs."""
    log = other.get("log", LOG)
    assert isinstance(log, Log)
    events = log.chains[after - 1]
    leaf = (len(events), chain_of(events)[1], log.proof(after))
    change = (other.get("name", "alice"), (1, bytes(32), other.get("event", 1)), A.stub, log.proof(before), leaf)
    signed = NODE.public + prefixed("alice") + pack((*change, bytes(64)))
    key = other.get("key", A.key)
    assert isinstance(key, Signer)
    return evidence(NAME_CHANGED, pack((*change, key.sign_bare(labelled("not ordered", signed)))))


def _rewritten() -> dict[str, tuple[object, ...]]:
    """What a node says of alice's chain, and says later."""
    longer, shorter = CHAINS, OTHER_CHAINS | {"alice": [(1, A.hash)]}
    first, _ = Directory(longer).proved("alice", C_LATER, C)
    back, _ = Directory(shorter, 9).proved("alice", A, None)
    gone, _ = Directory(OTHER_CHAINS, 9).absent("alice")
    earlier, _ = Directory(shorter, 3).proved("alice", A, None)
    same, _ = Directory(longer, 9).proved("alice", C_LATER, C)
    return {
        "a chain that has fewer events later": (frame(first), frame(back)),
        "a chain that is gone later": (frame(first), frame(gone)),
        "two proofs of one chain": (frame(first), frame(same)),
        "a chain that has grown": (frame(earlier), frame(first)),
        "a chain that had fewer events before": (frame(first), frame(earlier)),
        "an absence, and a chain later": (frame(gone), frame(same)),
    }


def _evidence() -> Iterator[Vector]:
    for number, (what, frames) in enumerate(_rewritten().items()):
        name, given = f"evidence, {what}", {"text": line(evidence(CHAIN_REWRITTEN, *frames))}
        if number < 2:
            yield good(name, "evidence", given, {"node": NODE.public.hex(), "fault": CHAIN_REWRITTEN})
        else:
            yield bad(name, "evidence", given, "EVIDENCE_INVALID")
    between = [*subtrees(FORKED.hashes(60)), *covering(FORKED.hashes(70), 60, 70)]
    honest = [*subtrees(LOG.hashes(60)), *covering(LOG.hashes(70), 60, 70)]
    for what, fault, fields in (
        ("two heads of one size", FORKED_LOG, _fork(LOG.head(70), FORKED.head(70))),
        (
            "a head that the log of a longer one does not have",
            FORKED_LOG,
            _fork(LOG.head(60), FORKED.head(70), between),
        ),
        ("a name that was changed", NAME_CHANGED, _change()),
    ):
        yield good(f"evidence, {what}", "evidence", {"text": line(fields)}, {"node": NODE.public.hex(), "fault": fault})
    for what, fields in {
        "one head twice": _fork(LOG.head(70), LOG.head(70)),
        "two heads of one log": _fork(LOG.head(60), LOG.head(70), honest),
        "two heads that nothing joins": _fork(LOG.head(60), FORKED.head(70)),
        "two heads, joined by another's hashes": _fork(LOG.head(60), FORKED.head(70), honest),
        "two heads, the higher first": _fork(FORKED.head(70), LOG.head(60), between),
        "two heads of one size, and hashes": _fork(LOG.head(70), FORKED.head(70), between),
        "two heads, one of which another signed": _fork(
            LOG.head(70), (*FORKED.head(70)[:2], FORKED.signature(70, OTHER_NODE))
        ),
        "a name that was not changed": _change(1, 70),
        "a change, its later epoch first": _change(100, 70),
        "a change, signed by another": _change(key=OTHER_NODE),
        "a change of another name": _change(name="bob"),
        "a change, after another event": _change(event=4),
    }.items():
        yield bad(f"evidence, {what}", "evidence", {"text": line(fields)}, "EVIDENCE_INVALID")


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [*_good(), *_bad(), *_evidence()]
