"""A head a day that the node has signed with ML-DSA-44, too: a cosignature of c2sp.org/tlog-cosignature.

docs/directory.md, "A head a day". Pure, but that the library makes other bytes of each signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from usernym.protocol.directory.checkpoints import LogHead, read_checkpoint
from usernym.protocol.directory.epochs import decode_entry
from usernym.protocol.directory.faults import DirectoryInvalid, LogForked
from usernym.protocol.directory.log_tree import Frontier, entry_hash
from usernym.protocol.signing import Context, SigningKey, is_signed, prefixed

DAYS: Final = "daily"
"""The folder that has a file for each day."""
DAY_KEY: Final = "ml-dsa-44"
"""The file that has the public key."""
DAY_KEY_BYTES_MAX: Final = 2_048
"""The file has 1,934 bytes."""
_PUBLIC_BYTES: Final = 1_312
_ML_DSA_44: Final = b"\x06"
_SIGNED_START: Final = b"subtree/v1\n\0"
_LATEST: Final = 253_402_300_799
_LINE: Final = re.compile("^— ([^ \n]+) ([A-Za-z0-9+/=]+)$".encode(), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DayKey:
    """A node's public key for the heads of days."""

    node: bytes
    public: bytes
    """1,312 bytes."""

    @property
    def name(self) -> str:
        """The key's name in a signed note."""
        return f"usernym/ml-dsa-44/{self.node.hex()}"

    @property
    def id(self) -> bytes:
        """The key's id in a signed note, 4 bytes."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ML_DSA_44 + self.public).digest()[:4]

    def file(self, signature: bytes) -> bytes:
        """The key as a file: one line with the key, and one with this signature of the node to it."""
        lines = f"{self.name}+{self.id.hex()}+{_encoded(_ML_DSA_44 + self.public)}", _encoded(signature)
        return "".join(f"{line}\n" for line in lines).encode()

    def signed_bytes(self, head: LogHead, at: int) -> bytes:
        """What is signed of a head. `at` is the time, in Unix seconds."""
        start, end = (number.to_bytes(8, "big") for number in (0, head.size))
        time = at.to_bytes(8, "big")
        return _SIGNED_START + prefixed(self.name) + time + prefixed(head.origin) + start + end + head.root

    def read(self, note: bytes) -> tuple[LogHead, int]:
        """The head in a checkpoint that is signed with this key, too, and the time in that signature, in Unix seconds.

        Raises `DirectoryInvalid` unless it has just one signature with the key, and that holds.
        """
        head = read_checkpoint(note)
        found = (_decoded(text) for name, text in _LINE.findall(note) if name == self.name.encode())
        ours = [signature for signature in found if signature[:4] == self.id]
        if head.node != self.node or len(ours) != 1:
            raise DirectoryInvalid("it is not signed with the node's ML-DSA-44 key")
        at = int.from_bytes(ours[0][4:12], "big")
        try:
            MLDSA44PublicKey.from_public_bytes(self.public).verify(ours[0][12:], self.signed_bytes(head, at))
        except InvalidSignature:
            raise DirectoryInvalid("its ML-DSA-44 signature does not hold") from None
        return head, at


def day_files(node: SigningKey, head: LogHead, made_at: int) -> Iterator[tuple[str, bytes]]:
    """The node's key for the heads of days, and this head as that of its day: path and content of each.

    `made_at` is the time of the log's newest entry, in Unix seconds.
    """
    secret = MLDSA44PrivateKey.from_seed_bytes(node.derived_seed(Context.DAY_KEY))
    key = DayKey(node.public, secret.public_key().public_bytes_raw())
    yield DAY_KEY, key.file(node.sign(Context.DAY_KEY, key.public))
    signature = key.id + made_at.to_bytes(8, "big") + secret.sign(key.signed_bytes(head, made_at))
    yield f"{DAYS}/{_day_of(made_at)}", head.signed(node) + f"— {key.name} {_encoded(signature)}\n".encode()


def check_days(days: Mapping[str, bytes], key_file: bytes | None, checkpoint: bytes, entries: Sequence[bytes]) -> None:
    """Check the heads of days of the log with these entries and this checkpoint: their contents by their days.

    Raises `DirectoryInvalid`; `LogForked` if one that the node has signed is not a part of the log.
    """
    if key_file is None:
        if days:
            raise DirectoryInvalid(f"{DAY_KEY} is missing: it has the key of the files in {DAYS}")
        return
    key, roots = _read_key(key_file, read_checkpoint(checkpoint).node), {}
    heads = {day: _read_day(key, day, note) for day, note in days.items()}
    sizes, tree = {head.size for head, _ in heads.values()}, Frontier()
    for entry in entries:
        tree = tree.with_leaf(entry_hash(entry))
        if tree.size in sizes:
            roots[tree.size] = tree.root()
    for day, (head, at) in heads.items():
        if head.size not in roots:
            raise DirectoryInvalid(f"{DAYS}/{day}: its head has {head.size} epochs, and the log {len(entries)}")
        if head.root != roots[head.size]:
            text = f"the node has signed two histories: {DAYS}/{day} is not a part of the log"
            raise LogForked(text, days[day], checkpoint)
        made_at = decode_entry(entries[head.size - 1]).made_at
        if (at, day) != (made_at, _day_of(made_at)):
            raise DirectoryInvalid(f"{DAYS}/{day}: its head is of another time")


def _read_key(content: bytes, node: bytes) -> DayKey:
    line, _, rest = content.partition(b"\n")
    key = DayKey(node, _decoded(line.split(b"+", 2)[-1])[1:])
    signature = _decoded(rest.removesuffix(b"\n"))
    if len(key.public) != _PUBLIC_BYTES or content != key.file(signature):
        raise DirectoryInvalid(f"{DAY_KEY} is damaged, or another node's")
    if not is_signed(node, signature, Context.DAY_KEY, key.public):
        raise DirectoryInvalid(f"{DAY_KEY} is not signed by the node")
    return key


def _read_day(key: DayKey, day: str, note: bytes) -> tuple[LogHead, int]:
    try:
        return key.read(note)
    except DirectoryInvalid as error:
        raise DirectoryInvalid(f"{DAYS}/{day}: {error}") from None


def _day_of(at: int) -> str:
    """The day (UTC) of a time in Unix seconds. An entry may have any: those after the year 9999 are of its last day."""
    return f"{datetime.fromtimestamp(min(at, _LATEST), UTC):%Y-%m-%d}"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
