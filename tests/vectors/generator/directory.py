"""Vectors of the directory that everyone can check, written from docs/directory.md."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache

from tests.vectors.generator.base import (
    NODE,
    NOW,
    ORDER,
    OTHER_NODE,
    PRIME,
    Signer,
    Vector,
    fixed,
    good,
    hexed,
    labelled,
    prefixed,
)
from tests.vectors.generator.curve import BASE, Point, encoded, point_of, times

SUITE = b"\x03"
_EDWARDS_D = -121665 * pow(121666, -1, PRIME) % PRIME


def digest(context: str, *parts: bytes) -> bytes:
    """SHA-256 of the labelled parts."""
    return hashlib.sha256(labelled(context, *parts)).digest()


def _on_curve(point: Point) -> bool:
    x, y = point
    return (y * y - x * x - 1 - _EDWARDS_D * x * x * y * y) % PRIME == 0


def vrf_secret(node: Signer) -> int:
    """The secret scalar of RFC 9381, section 5.5, which makes it as RFC 8032 does."""
    raw = bytearray(hashlib.sha512(digest("directory vrf key", node.seed)).digest()[:32])
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return int.from_bytes(raw, "little")


@cache
def vrf_public(node: Signer) -> bytes:
    """The public key of the node's labels."""
    return encoded(times(vrf_secret(node) % ORDER, BASE))


@cache
def label_point(node: Signer, name: str) -> Point:
    """The point that the function's input is hashed to."""
    alpha = labelled("directory label", node.public, prefixed(name))
    counter = 0
    while True:
        hashed = hashlib.sha512(SUITE + b"\x01" + vrf_public(node) + alpha + bytes((counter, 0))).digest()[:32]
        found = point_of(hashed)
        if _on_curve(found):
            break
        counter += 1
    return times(8, found)


@cache
def label_of(node: Signer, name: str) -> bytes:
    """The label of a name."""
    gamma = times(vrf_secret(node), label_point(node, name))
    return hashlib.sha512(SUITE + b"\x03" + encoded(times(8, gamma)) + b"\0").digest()[:32]


def _labels() -> Iterator[Vector]:
    for what, node in {"the node": NODE, "another node": OTHER_NODE}.items():
        for name in ("alice", "bob", "a" * 32, "a_1_b"):
            given = {"seed": node.seed.hex(), "name": name}
            expect = {"vrf": vrf_public(node).hex(), "label": label_of(node, name).hex()}
            yield good(f"label, {name} at {what}", "label", given, expect)


def chain_of(events: Sequence[tuple[int, bytes]]) -> tuple[list[bytes], bytes]:
    """The commitments and the head of a chain of events, each with the identity that it is about."""
    head, commitments = bytes(32), []
    for number, (event, identity) in enumerate(events, 1):
        commitments.append(digest("directory event", bytes((event,)), identity))
        head = digest("directory chain", head, number.to_bytes(4, "big"), commitments[-1])
    return commitments, head


def _chains() -> Iterator[Vector]:
    first, second = fixed("identity 1"), fixed("identity 2")
    for what, events in {
        "none": [],
        "registered": [(1, first)],
        "deleted": [(1, first), (3, first)],
        "returned": [(1, first), (3, first), (4, first)],
        "succeeded": [(1, first), (2, second)],
        "all four": [(1, first), (2, second), (3, second), (4, second), (3, second), (1, first)],
    }.items():
        commitments, head = chain_of(events)
        given = {"events": [[event, identity.hex()] for event, identity in events]}
        yield good(
            f"event chain, {what}", "event_chain", given,
            {"commitments": [each.hex() for each in commitments], "head": head.hex()},
        )  # fmt: skip


def leaf_hash(leaf: tuple[bytes, int, bytes]) -> bytes:
    """The hash of a leaf."""
    return digest("directory map leaf", leaf[0], leaf[1].to_bytes(4, "big"), leaf[2])


def bits(label: bytes) -> str:
    """All bits of a label."""
    return "".join(f"{byte:08b}" for byte in label)


def map_root(leaves: Sequence[tuple[bytes, int, bytes]], depth: int = 0) -> bytes:
    """The root above these leaves, which are the same up to this bit."""
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    left, right = ([each for each in leaves if bits(each[0])[depth] == side] for side in "01")
    if not left or not right:
        return map_root(leaves, depth + 1)
    return digest("directory map node", bytes((depth,)), map_root(left, depth + 1), map_root(right, depth + 1))


def _maps() -> Iterator[Vector]:
    def leaf(label: bytes, events: int = 1) -> tuple[bytes, int, bytes]:
        return label, events, fixed(f"head of {label.hex()}")

    some = [leaf(fixed(f"label {number}"), number + 1) for number in range(20)]
    for what, leaves in {
        "one": some[:1],
        "two": some[:2],
        "twenty": some,
        "twenty, in another order": some[::-1],
        "parted at the first bit": [leaf(bytes(32)), leaf(b"\x80" + bytes(31))],
        "parted at the last bit": [leaf(bytes(32)), leaf(bytes(31) + b"\x01")],
        "parted at the seventeenth bit": [leaf(bytes(32)), leaf(bytes(2) + b"\x80" + bytes(29))],
        "all bits set, and none": [leaf(b"\xff" * 32), leaf(bytes(32))],
        "many events": [leaf(bytes(32), 2**32 - 1)],
    }.items():
        given = {"leaves": [[label.hex(), events, head.hex()] for label, events, head in leaves]}
        expect = {"leaves": [leaf_hash(each).hex() for each in leaves], "root": map_root(leaves).hex()}
        yield good(f"map, {what}", "map", given, expect)


def _epochs() -> Iterator[Vector]:
    low, high = sorted((fixed("label low"), fixed("label high")))
    for what, changes in {
        "a new name": [(low, 0, [fixed("event")])],
        "two names": [(low, 7, [fixed("event")]), (high, 0, [fixed("event 1"), fixed("event 2")])],
        "255 events": [(low, 2**32 - 256, [fixed(f"event {number}") for number in range(255)])],
    }.items():
        data = b"".join(
            label + before.to_bytes(4, "big") + bytes((len(new),)) + b"".join(new) for label, before, new in changes
        )
        expect = {"changes": [[label.hex(), before, [each.hex() for each in new]] for label, before, new in changes]}
        yield good(f"changes, {what}", "changes", {"changes": hexed(data)}, expect)
    for what, numbers in {"the first": (0, NOW, 1), "largest numbers": (2**64 - 1,) * 3}.items():
        keys = {"node": NODE.public, "vrf": vrf_public(NODE), "root": fixed("map root")}
        body = keys["node"] + keys["vrf"] + b"".join(each.to_bytes(8, "big") for each in numbers) + keys["root"]
        expect_entry = {name: value.hex() for name, value in keys.items()} | dict(
            zip(("number", "made_at", "names"), numbers, strict=True)
        )
        yield good(f"entry, {what}", "entry", {"entry": labelled("directory epoch", body).hex()}, expect_entry)


def log_root(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, of the hashes of the entries."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + log_root(hashes[:half]) + log_root(hashes[half:])).digest()


def _checkpoints() -> Iterator[Vector]:
    for size in (0, 1, 2, 3, 7, 8, 9):
        entries = [fixed(f"entry {number}", 10) for number in range(size)]
        root = log_root([hashlib.sha256(b"\0" + entry).digest() for entry in entries])
        origin = f"usernym/directory/{NODE.public.hex()}"
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
        key_id = hashlib.sha256(origin.encode() + b"\n\x01" + NODE.public).digest()[:4]
        signature = base64.b64encode(key_id + NODE.sign_bare(text)).decode()
        note = f"{text.decode()}\n\u2014 {origin} {signature}\n"
        given = {"seed": NODE.seed.hex(), "entries": [entry.hex() for entry in entries]}
        yield good(f"checkpoint, {size} entries", "checkpoint", given, {"root": root.hex(), "checkpoint": note})


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [*_labels(), *_chains(), *_maps(), *_epochs(), *_checkpoints()]
