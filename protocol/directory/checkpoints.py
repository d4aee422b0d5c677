"""A log's heads as C2SP checkpoints (c2sp.org/tlog-checkpoint), in signed notes (c2sp.org/signed-note)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.limits import HASH_BYTES, KEY_BYTES
from usernym.protocol.signing import NOTE_START, SigningKey, text_is_signed
from usernym.protocol.wire import Hash, Number, Signature, Wire

CHECKPOINT_BYTES_MAX: Final = 16_384
"""The head with the node's signature is 330 bytes. The rest is room for signatures of others, of which 16 must fit."""
_ED25519: Final = b"\x01"
_TEXT: Final = re.compile(r"usernym/directory/([0-9a-f]{64})\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n")
_SIGNATURE: Final = re.compile("— ([^ +\\s]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class LogHead:
    """A node's log at a size."""

    node: bytes
    size: int
    root: bytes

    @property
    def origin(self) -> str:
        """The log's name, and that of its key."""
        return f"{NOTE_START.decode()}{self.node.hex()}"

    def text(self) -> bytes:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    def signed(self, key: SigningKey) -> bytes:
        """The checkpoint, signed with the node's key."""
        return self.note(key.sign_text(self.text()))

    def note(self, signature: bytes) -> bytes:
        """The checkpoint with this signature of the node, 64 bytes."""
        line = base64.b64encode(_key_id(self.origin, self.node) + signature).decode()
        return self.text() + f"\n— {self.origin} {line}\n".encode()


class SignedHead(Wire, frozen=True):
    """A head with its node's signature, where it is known which node that is."""

    size: Number
    root: Hash
    signature: Signature

    def is_signed(self, node: bytes) -> bool:
        """Whether the signature is the node's."""
        return text_is_signed(node, self.signature, LogHead(node, self.size, self.root).text())


class HeadTold(Wire, frozen=True):
    """A head as one user tells it another: without the signature where there is no room for it."""

    size: Number
    root: Hash
    signature: Signature | None

    def signed(self) -> SignedHead | None:
        """With its signature, which is not checked yet; None if it came without."""
        return None if self.signature is None else SignedHead(self.size, self.root, self.signature)


def read_checkpoint(note: bytes) -> LogHead:
    """The head in a checkpoint, signed by the node that it names. Raises `DirectoryInvalid`.

    Signatures by other keys are ignored, as the specification wants it.
    """
    try:
        text, _, signatures = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise DirectoryInvalid("the checkpoint is not text") from None
    found = _TEXT.fullmatch(text + "\n")
    if found is None or len(note) > CHECKPOINT_BYTES_MAX or not signatures.endswith("\n"):
        raise DirectoryInvalid("the checkpoint is not one of a node's directory, or it is damaged")
    root = _decoded(found[3])
    head = LogHead(bytes.fromhex(found[1]), int(found[2]), root)
    if len(root) != HASH_BYTES or head.text() != f"{text}\n".encode():
        raise DirectoryInvalid("the checkpoint's root is not encoded as it must be")
    ours = 0
    for line in signatures.removesuffix("\n").split("\n"):
        parts = _SIGNATURE.fullmatch(line)
        if parts is None:
            raise DirectoryInvalid("the checkpoint has a line that is no signature")
        signature = _decoded(parts[2])
        if parts[1] != head.origin or signature[:4] != _key_id(head.origin, head.node):
            continue
        if not text_is_signed(head.node, signature[4:], head.text()):
            raise DirectoryInvalid("the checkpoint's signature does not hold")
        ours += 1
    if not ours:
        raise DirectoryInvalid("the checkpoint is not signed by the node that it names")
    return head


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise DirectoryInvalid("the checkpoint has bad base64") from None


def _key_id(origin: str, public: bytes) -> bytes:
    assert len(public) == KEY_BYTES
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:4]
