"""A second implementation of docs/directory.md, written from the page alone: it uses nothing of usernym.

It is slow and has no structure of its own: each root is computed from all leaves, as the page defines it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

WIDTH: Final = 256


class WrongByThePage(Exception):
    """The log is not as the page says."""


def label(context: str) -> bytes:
    """What stands before everything that is hashed."""
    return b"usernym/1 " + context.encode() + b"\0\x01"


def digest(context: str, *parts: bytes) -> bytes:
    """SHA-256 of the labelled parts."""
    return hashlib.sha256(label(context) + b"".join(parts)).digest()


def demand(holds: bool, what: str) -> None:
    """Raise unless this holds."""
    if not holds:
        raise WrongByThePage(what)


def bits(data: bytes) -> str:
    """All bits, the highest of the first byte first."""
    return "".join(f"{byte:08b}" for byte in data)


def leaf(name: bytes, events: int, head: bytes) -> bytes:
    """The hash of a leaf of the map."""
    return digest("directory map leaf", name, events.to_bytes(4, "big"), head)


def map_root(chains: Mapping[bytes, tuple[int, bytes]]) -> bytes:
    """The root of the map of these labels: how many events, and the head."""
    return subtree([(bits(name), leaf(name, *chains[name])) for name in sorted(chains)])


def subtree(leaves: list[tuple[str, bytes]]) -> bytes:
    """The hash above these leaves: a label's bits, and its hash."""
    if len(leaves) == 1:
        return leaves[0][1]
    first, last = leaves[0][0], leaves[-1][0]
    depth = next(at for at in range(256) if first[at] != last[at])
    left, right = ([each for each in leaves if each[0][depth] == side] for side in "01")
    return digest("directory map node", bytes([depth]), subtree(left), subtree(right))


def log_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, of the hashes of the entries."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hashlib.sha256(b"\x01" + log_root(hashes[:half]) + log_root(hashes[half:])).digest()


def checkpoint(note: bytes) -> tuple[bytes, int, bytes]:
    """The node, the size and the root of a signed checkpoint."""
    text, signatures = note.decode().split("\n\n")
    origin, size, root = text.split("\n")
    start = "usernym/directory/"
    demand(origin.startswith(start) and origin == origin.lower(), "the origin")
    node = bytes.fromhex(origin.removeprefix(start))
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + node).digest()[:4]
    verified = 0
    for line in signatures.splitlines():
        dash, name, signature = line.split(" ")
        raw = base64.b64decode(signature, validate=True)
        demand(dash == "\u2014", "a signature line")
        if name == origin and raw[:4] == key_id:
            Ed25519PublicKey.from_public_bytes(node).verify(raw[4:], f"{text}\n".encode())
            verified += 1
    demand(verified > 0, "no signature of the node")
    return node, int(size), base64.b64decode(root, validate=True)


def cosigners(note: bytes) -> set[bytes]:
    """The witnesses that have signed a checkpoint."""
    text, signatures = note.decode().split("\n\n")
    found = set()
    for line in signatures.splitlines():
        _, name, signature = line.split(" ")
        start, raw = "usernym/witness/", base64.b64decode(signature, validate=True)
        if name.startswith(start):
            key = bytes.fromhex(name.removeprefix(start))
            demand(raw[:4] == hashlib.sha256(name.encode() + b"\n\x04" + key).digest()[:4], "the key's id")
            at = int.from_bytes(raw[4:12], "big")
            signed = f"cosignature/v1\ntime {at}\n{text}\n".encode()
            Ed25519PublicKey.from_public_bytes(key).verify(raw[12:], signed)
            found.add(key)
    return found


def number_path(number: int) -> str:
    """A number in three-digit parts, all but the last behind an x."""
    digits = str(number)
    digits = "0" * (-len(digits) % 3) + digits
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join(["x" + part for part in parts[:-1]] + parts[-1:])


def tile(folder: Path, kind: str, number: int, width: int) -> bytes:
    """A tile or a bundle that must be there."""
    end = "" if width == WIDTH else f".p/{width}"
    return (folder / "tile" / kind / f"{number_path(number)}{end}").read_bytes()


def entries(folder: Path, size: int) -> list[bytes]:
    """All entries, of the bundles."""
    found = []
    for start in range(0, size, WIDTH):
        bundle = tile(folder, "entries", start // WIDTH, min(WIDTH, size - start))
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            found.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    demand(len(found) == size, "the number of entries")
    return found


def check_tiles(folder: Path, hashes: list[bytes]) -> None:
    """The tiles of all levels, each defined over the hashes of the entries."""
    level, span = 0, 1
    while len(hashes) // span:
        above = [log_root(hashes[at : at + span]) for at in range(0, len(hashes) - span + 1, span)]
        for start in range(0, len(above), WIDTH):
            part = above[start : start + WIDTH]
            demand(tile(folder, str(level), start // WIDTH, len(part)) == b"".join(part), "a tile")
        level, span = level + 1, span * WIDTH


def changes(data: bytes) -> Iterator[tuple[bytes, int, list[bytes]]]:
    """Label, events before, and commitments of what is new."""
    last = b""
    while data:
        name, before, count = data[:32], int.from_bytes(data[32:36], "big"), data[36]
        demand(name > last and count > 0 and len(data) >= 37 + 32 * count, "the changes' form")
        yield name, before, [data[37 + 32 * at : 69 + 32 * at] for at in range(count)]
        last, data = name, data[37 + 32 * count :]


def day_key(folder: Path, node: bytes) -> tuple[bytes, bytes]:
    """The id of the node's key for the heads of days, and the key."""
    line, signature = (folder / "ml-dsa-44").read_bytes().splitlines()
    name, key_id, encoded = line.split(b"+", 2)
    raw = base64.b64decode(encoded, validate=True)
    demand(name == f"usernym/ml-dsa-44/{node.hex()}".encode() and raw[:1] == b"\x06" and len(raw) == 1313, "the key")
    demand(key_id.decode() == hashlib.sha256(name + b"\n" + raw).hexdigest()[:8], "the key's id")
    signed = label("directory day key") + raw[1:]
    Ed25519PublicKey.from_public_bytes(node).verify(base64.b64decode(signature, validate=True), signed)
    return bytes.fromhex(key_id.decode()), raw[1:]


def check_day(folder: Path, day: str, logged: list[bytes]) -> int:
    """The size of the log in a day's head, with both signatures, which must be one of the log of these entries."""
    note = (folder / "daily" / day).read_bytes()
    node, size, root = checkpoint(note)
    demand(log_root([hashlib.sha256(b"\0" + entry).digest() for entry in logged[:size]]) == root, "a day's root")
    key_id, key = day_key(folder, node)
    _, name, signature = note.splitlines()[-1].split(b" ")
    raw = base64.b64decode(signature, validate=True)
    demand(name == f"usernym/ml-dsa-44/{node.hex()}".encode() and raw[:4] == key_id, "a day's key")
    origin = note.splitlines()[0]
    signed = b"subtree/v1\n\0" + bytes([len(name)]) + name + raw[4:12] + bytes([len(origin)]) + origin
    MLDSA44PublicKey.from_public_bytes(key).verify(raw[12:], signed + bytes(8) + size.to_bytes(8, "big") + root)
    start = len(label("directory epoch")) + 72
    demand(logged[size - 1][start : start + 8] == raw[4:12], "a day's time")
    demand(f"{datetime.fromtimestamp(int.from_bytes(raw[4:12], 'big'), UTC):%Y-%m-%d}" == day, "a day's name")
    return size


def check_folder(folder: Path) -> dict[bytes, tuple[int, bytes]]:
    """Everything of an export; the chains by label. Raises if anything is not as the page says."""
    node, size, root = checkpoint((folder / "checkpoint").read_bytes())
    logged = entries(folder, size)
    hashes = [hashlib.sha256(b"\0" + entry).digest() for entry in logged]
    demand(log_root(hashes) == root, "the log's root")
    check_tiles(folder, hashes)
    chains: dict[bytes, tuple[int, bytes]] = {}
    keys, last_time = set(), 0
    for number, entry in enumerate(logged):
        start = label("directory epoch")
        demand(len(entry) == 147 and entry.startswith(start + node), "an entry's form")
        body = entry[len(start) + 32 :]
        keys.add(body[:32])
        found, time, names = (int.from_bytes(body[at : at + 8], "big") for at in (32, 40, 48))
        demand(found == number and time >= last_time, "an entry's number or time")
        for name, before, new in changes((folder / "changes" / number_path(number)).read_bytes()):
            events, head = chains.get(name, (0, bytes(32)))
            demand(events == before, "a chain that was rewritten")
            for event in new:
                events += 1
                head = digest("directory chain", head, events.to_bytes(4, "big"), event)
            chains[name] = (events, head)
        demand(names == len(chains) and map_root(chains) == body[56:], "the map")
        last_time = time
    demand(len(keys) == 1, "the key of the labels")
    for day in folder.glob("daily/*"):
        check_day(folder, day.name, logged)
    return chains
