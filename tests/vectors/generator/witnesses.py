"""Vectors of cosignatures, written from docs/directory.md and c2sp.org/tlog-cosignature."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence

from tests.vectors.generator.base import ALICE, NODE, NOW, OTHER_NODE, Signer, Vector, bad, fixed, good

ROOT = fixed("root")


def name_of(witness: Signer) -> str:
    """The name of a witness's key."""
    return f"usernym/witness/{witness.public.hex()}"


def text_of(log: Signer, size: int, root: bytes) -> str:
    """What the log's own node signs."""
    return f"usernym/directory/{log.public.hex()}\n{size}\n{base64.b64encode(root).decode()}\n"


def cosignature(witness: Signer, at: int, text: str, kind: bytes = b"\x04") -> bytes:
    """The key's id, the time, the signature."""
    key_id = hashlib.sha256(name_of(witness).encode() + b"\n" + kind + witness.public).digest()[:4]
    return key_id + at.to_bytes(8, "big") + witness.sign_bare(f"cosignature/v1\ntime {at}\n{text}".encode())


def _given(cosigned: bytes, witness: Signer = OTHER_NODE, size: int = 7) -> dict[str, object]:
    return {
        "witness": witness.public.hex(), "node": NODE.public.hex(), "size": size, "root": ROOT.hex(),
        "cosignature": cosigned.hex(),
    }  # fmt: skip


def _wrong() -> Iterator[tuple[str, dict[str, object]]]:
    text = text_of(NODE, 7, ROOT)
    right = cosignature(OTHER_NODE, NOW, text)
    yield "of another size", _given(right, size=8)
    yield "of another witness", _given(right, ALICE)
    yield "of another root", _given(cosignature(OTHER_NODE, NOW, text_of(NODE, 7, fixed("other"))))
    yield "of another node's log", _given(cosignature(OTHER_NODE, NOW, text_of(ALICE, 7, ROOT)))
    yield "another time than was signed", _given(right[:4] + (NOW + 1).to_bytes(8, "big") + right[12:])
    yield "at no time", _given(cosignature(OTHER_NODE, 0, text))
    yield "the key's id as of an untimed signature", _given(cosignature(OTHER_NODE, NOW, text, b"\x01"))
    yield "the text alone was signed", _given(right[:12] + OTHER_NODE.sign_bare(text.encode()))
    yield "a byte less", _given(right[:-1])
    yield "a byte more", _given(right + b"\0")
    yield "nothing", _given(b"")


def vectors() -> Sequence[Vector]:
    """All of them."""
    found = []
    for what, size, at in (("the first epoch", 1, NOW), ("many epochs", 2**32 - 1, NOW), ("at the first second", 7, 1)):
        made = cosignature(OTHER_NODE, at, text_of(NODE, size, ROOT))
        line = f"— {name_of(OTHER_NODE)} {base64.b64encode(made).decode()}\n"
        given = _given(made, size=size) | {"seed": OTHER_NODE.seed.hex(), "at": at}
        found.append(good(f"cosignature, {what}", "cosignature", given, {"line": line}))
    for what, given in _wrong():
        found.append(bad(f"cosignature, {what}", "cosignature", given, "PROOF_INVALID"))
    return found
