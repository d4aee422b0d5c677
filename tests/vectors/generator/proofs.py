"""Vectors of answers to lookups with proof, written from docs/directory.md and RFC 9381."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tests.vectors.generator.base import NODE, NOW, ORDER, OTHER_NODE, Signer, Vector, bad, fixed, good, labelled
from tests.vectors.generator.curve import BASE, encoded, times
from tests.vectors.generator.directory import (
    SUITE,
    bits,
    chain_of,
    digest,
    label_of,
    label_point,
    leaf_hash,
    log_root,
    map_root,
    vrf_public,
    vrf_secret,
)
from tests.vectors.generator.frames import LONG, REQUEST_ID, Message, answered, frame, frame_input
from tests.vectors.generator.identity import C_LATER, A, B, C, Rec

Leaf = tuple[bytes, int, bytes]
PLACES = {"name": 1, "record": 2, "origin": 3, "chain": 4}
"""Fields of `Proved`."""


@cache
def label_proof(node: Signer, name: str) -> bytes:
    """RFC 9381, section 5.1."""
    secret, point = vrf_secret(node), label_point(node, name)
    gamma = encoded(times(secret, point))
    nonce_key = hashlib.sha512(digest("directory vrf key", node.seed)).digest()[32:]
    nonce = int.from_bytes(hashlib.sha512(nonce_key + encoded(point)).digest(), "little") % ORDER
    points = vrf_public(node) + encoded(point) + gamma + encoded(times(nonce, BASE)) + encoded(times(nonce, point))
    challenge = hashlib.sha512(SUITE + b"\x02" + points + b"\0").digest()[:16]
    response = (nonce + int.from_bytes(challenge, "little") * secret) % ORDER
    return gamma + challenge + response.to_bytes(32, "little")


def path_to(label: bytes, leaves: Sequence[Leaf], depth: int = 0) -> tuple[Leaf, list[tuple[int, bytes]]]:
    """The leaf where the way to a label ends, and the nodes on it with the hashes of their other sides."""
    if len(leaves) == 1:
        return leaves[0], []
    sides = [[each for each in leaves if bits(each[0])[depth] == side] for side in "01"]
    if not all(sides):
        return path_to(label, leaves, depth + 1)
    side = int(bits(label)[depth])
    leaf, rest = path_to(label, sides[side], depth + 1)
    return leaf, [(depth, map_root(sides[1 - side], depth + 1)), *rest]


def subtrees(hashes: Sequence[bytes]) -> list[bytes]:
    """The roots of the complete subtrees, the largest first."""
    if not hashes:
        return []
    half = 1 << len(hashes).bit_length() - 1
    return [log_root(hashes[:half]), *subtrees(hashes[half:])]


def made_by(origin: Rec | None) -> tuple[object, ...] | None:
    """The fields of `Origin`."""
    return None if origin is None else (
        origin.number, hashlib.sha256(origin.hpke).digest(), origin.hpke_number, origin.made_on, origin.previous
    )  # fmt: skip


@dataclass(frozen=True)
class Directory:
    """A directory with these chains, and so many entries before the newest one."""

    chains: dict[str, list[tuple[int, bytes]]]
    before: int = 5

    def proof(self, name: str) -> tuple[Leaf, tuple[object, ...], bytes]:
        """The leaf at the end of the way, the fields of `MapProof`, and the log's root."""
        leaves = [
            (label_of(NODE, each), len(events), chain_of(events)[1]) for each, events in sorted(self.chains.items())
        ]
        label = label_of(NODE, name)
        leaf, nodes = path_to(label, leaves)
        numbers = b"".join(number.to_bytes(8, "big") for number in (self.before, NOW, len(leaves)))
        entry = labelled("directory epoch", NODE.public + vrf_public(NODE) + numbers + map_root(leaves))
        older = [hashlib.sha256(b"\0" + fixed(f"entry {number}", 147)).digest() for number in range(self.before)]
        root = log_root([*older, hashlib.sha256(b"\0" + entry).digest()])
        text = f"usernym/directory/{NODE.public.hex()}\n{self.before + 1}\n{base64.b64encode(root).decode()}\n"
        hashes = b"".join([sibling for _, sibling in nodes] + subtrees(older))
        fields = (
            label_proof(NODE, name), vrf_public(NODE), self.before + 1, NOW, len(leaves),
            NODE.sign_bare(text.encode()), bytes(depth for depth, _ in nodes), hashes,
        )  # fmt: skip
        assert leaf_hash(leaf)
        return leaf, fields, root

    def end(self, name: str) -> tuple[object, ...]:
        """The fields of `ChainEnd`."""
        events = self.chains[name]
        return len(events), chain_of(events[:-1])[1], events[-1][0]

    def proved(self, name: str, record: Rec, origin: Rec | None) -> tuple[Message, bytes]:
        """The answer that has a record, and the log's root."""
        _, proof, root = self.proof(name)
        return answered(
            "Proved", 30, REQUEST_ID, name, record.fields, made_by(origin), self.end(name), proof, b""
        ), root

    def promised(self, name: str, record: Rec, origin: Rec | None, size: int, due: int) -> Message:
        """The promise that an epoch after so many will have what this directory has of the name."""
        return answered(
            "Promised", 32, REQUEST_ID, name, record.fields, made_by(origin), self.end(name), size, due
        )  # fmt: skip

    def absent(self, name: str) -> tuple[Message, bytes]:
        """The answer that no one has the name, and the log's root."""
        leaf, proof, root = self.proof(name)
        if name not in self.chains:
            return answered("Absent", 31, REQUEST_ID, name, leaf, None, proof, b""), root
        deletion = (self.end(name), self.chains[name][-1][1])
        return answered("Absent", 31, REQUEST_ID, name, None, deletion, proof, b""), root


OTHERS = {f"user_{number}": [(1, fixed(f"identity {number}"))] for number in range(6)}
CHAINS = OTHERS | {
    "alice": [(1, A.hash), (2, B.hash), (2, C.hash)],
    "gone": [(1, fixed("identity")), (3, fixed("identity"))],
}
HERE = Directory(CHAINS)
PROVED, _ = HERE.proved("alice", C_LATER, C)
ABSENT, _ = HERE.absent("nobody")


def _answers() -> Iterator[tuple[str, Message, bytes]]:
    first = Directory(OTHERS | {"alice": [(1, A.hash)]})
    yield ("a record of an earlier identity's name, renewed", *HERE.proved("alice", C_LATER, C))
    yield ("the record that made the identity", *HERE.proved("alice", C, None))
    yield ("a first record", *first.proved("alice", A, None))
    yield ("a name that came back", *Directory(
        OTHERS | {"alice": [(1, A.hash), (3, A.hash), (4, A.hash)]}, 7
    ).proved("alice", A.renewed(3, 2), A))  # fmt: skip
    yield ("the only name, in the first epoch", *Directory({"alice": [(1, A.hash)]}, 0).proved("alice", A, None))
    yield ("no one", *HERE.absent("nobody"))
    yield ("no one, the longest name", *HERE.absent(LONG))
    yield ("a deleted name", *HERE.absent("gone"))
    yield ("no one, beside the only name", *Directory({"alice": [(1, A.hash)]}, 8).absent("nobody"))


def _of(message: Message, **changes: object) -> Message:
    for field, value in changes.items():
        message = message.replaced(PLACES[field], value)
    return message


def _with_proof(message: Message, at: int, value: object) -> Message:
    *rest, proof, _ = message.fields
    assert isinstance(proof, tuple)
    return message.replaced(len(rest), (*proof[:at], value, *proof[at + 1 :]))


def wrong() -> Iterator[tuple[str, Message]]:
    proof = PROVED.fields[-2]
    assert isinstance(proof, tuple)
    for at, field in enumerate(("label's proof", "label's key", "size", "time", "names", "head", "depths", "hashes")):
        value = proof[at]
        changed = value[:-1] + bytes((value[-1] ^ 1,)) if isinstance(value, bytes) else value + 1
        yield f"another {field}", _with_proof(PROVED, at, changed)
    yield "a hash less", _with_proof(PROVED, 7, proof[7][:-32])
    yield "a byte more than hashes", _with_proof(PROVED, 7, proof[7] + b"\0")
    yield "no hashes", _with_proof(PROVED, 7, b"")
    yield "a depth twice", _with_proof(_with_proof(PROVED, 6, proof[6][:1] + proof[6]), 7, proof[7][:32] + proof[7])
    yield "another record", _of(PROVED, record=B.fields, origin=None)
    yield "another owner of the same hash before", _of(PROVED, record=A.fields)
    yield "no origin", _of(PROVED, origin=None)
    yield "another kind of event", _of(PROVED, chain=(3, HERE.end("alice")[1], 1))
    yield "as deleted", _of(PROVED, chain=(3, HERE.end("alice")[1], 3))
    yield "another name", _of(PROVED, name="bob")
    forged = hashlib.sha256(b"forged").digest()
    yield (
        "a hostile record that names the identity's",
        _of(PROVED, record=Rec(OTHER_NODE, number=9, hpke_number=8, previous=C.hash).fields),
    )
    yield (
        "no one: its own leaf as another's",
        HERE.absent("alice")[0]
        .replaced(2, (label_of(NODE, "alice"), 3, chain_of(CHAINS["alice"])[1]))
        .replaced(3, None),
    )
    yield "no one: a leaf that is elsewhere", ABSENT.replaced(2, (forged, 1, forged))
    yield "no one: shown in no way", ABSENT.replaced(2, None)
    both = HERE.absent("gone")[0].fields[3]
    yield "no one: shown in two ways", ABSENT.replaced(3, both)
    alive = (HERE.end("alice"), C.hash)
    yield "no one: a name that someone has", HERE.absent("alice")[0].replaced(3, alive)


def vectors() -> Sequence[Vector]:
    """All of them."""
    found = []
    for what, message, root in _answers():
        size = message.fields[-2][2]  # type: ignore[index]  # the proof's fields
        given = {"name": message.fields[1]} | frame_input(frame(message), message)
        found.append(good(f"proved answer, {what}", "proved_answer", given, {"size": size, "root": root.hex()}))
    for what, message in wrong():
        given = {"name": "nobody" if message.kind == "Absent" and message.fields[1] == "nobody" else "alice"}
        found.append(bad(f"proved answer, {what}", "proved_answer", given | frame_input(frame(message), message),
                         "PROOF_INVALID"))  # fmt: skip
    return found
