"""Vectors of links, and of safety numbers as scanners read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from tests.vectors.generator.base import ALICE, ALICE_2, NODE, OTHER_NODE, Signer, Vector, bad, good, labelled, prefixed

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"


def _base32(data: bytes) -> str:
    """RFC 4648, section 6, without padding: five bits a letter, the last one filled up with zeros."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(_LETTERS[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


def _short(size: int, context: str, *parts: bytes) -> bytes:
    return hashlib.sha256(labelled(context, *parts)).digest()[:size]


def _fingerprints(node: bytes, name: str, key: bytes) -> tuple[bytes, bytes]:
    return _short(16, "link node", node), _short(16, "link identity", node, prefixed(name), key)


def _sealed(name: str, body: bytes) -> str:
    """The letters of a body, with its check."""
    return _base32(body + _short(2, "link check", prefixed(name), body))


def _body(name: str = "alice", key: Signer = ALICE, node: Signer = NODE) -> bytes:
    return b"\x01" + b"".join(_fingerprints(node.public, name, key.public))


def _link(name: str = "alice", key: Signer = ALICE, node: Signer = NODE) -> str:
    return f"usernym:{name}/{_sealed(name, _body(name, key, node))}"


def _good() -> Iterator[Vector]:
    for name in ("alice", "bob", "a" * 32, "a_1_b"):
        for node in (NODE, OTHER_NODE):
            text = _link(name, ALICE, node)
            node_print, identity_print = _fingerprints(node.public, name, ALICE.public)
            expect = {
                "link": text,
                "name": name,
                "node_fingerprint": node_print.hex(),
                "identity_fingerprint": identity_print.hex(),
            }
            what = "the node" if node is NODE else "another node"
            given = {"node": node.public.hex(), "name": name, "identity_key": ALICE.public.hex()}
            yield good(f"link made, {name} at {what}", "link", given, expect)
    text = _link()
    for what, typed in {
        "as it is": text,
        "upper case": text.upper(),
        "mixed case": text.title(),
        "white space around it": f"\n\t {text}\r\n",
    }.items():
        for case, node, key, matches in (
            ("of this identity", NODE, ALICE, True),
            ("of another identity", NODE, ALICE_2, False),
            ("at another node", OTHER_NODE, ALICE, False),
        ):
            given = {"text": typed, "node": node.public.hex(), "identity_key": key.public.hex()}
            expect_taken = {"link": text, "of_node": node is NODE, "matches": matches}
            yield good(f"link taken, {what}, {case}", "take_link", given, expect_taken)


def _bad() -> Iterator[Vector]:
    text = _link()
    head, letters = text.split("/")
    body = _body()
    last = _LETTERS[_LETTERS.index(letters[-1]) ^ 1]
    for what, typed in {
        "empty": "",
        "only a scheme": "usernym:",
        "only a name": "usernym:alice",
        "no letters": "usernym:alice/",
        "no scheme": text.removeprefix("usernym:"),
        "two slashes behind the scheme": text.replace("usernym:", "usernym://"),
        "a card's scheme": text.replace("usernym:", "usernym-node:"),
        "another name": text.replace("alice", "alicf"),
        "no valid name": text.replace("alice", "a-b"),
        "a name too long": f"usernym:{'a' * 33}/{letters}",
        "a name too short": f"usernym:al/{letters}",
        "the first letter changed": f"{head}/{'b' + letters[1:]}",
        "the last letter changed": f"{head}/{letters[:-1]}{last}",
        "two letters swapped": f"{head}/{letters[:10]}{letters[11]}{letters[10]}{letters[12:]}",
        "the last letter missing": text[:-1],
        "the last eight letters missing": text[:-8],
        "a letter more": text + "a",
        "padded": text + "=",
        "a digit that is no letter of base32": f"{head}/0{letters[1:]}",
        "a parameter": text + "?a=b",
        "an empty parameter": text + "?",
        "a fragment": text + "#a",
        "a slash behind it": text + "/",
        "angle brackets": f"<{text}>",
        "a full stop behind it": text + ".",
        "a space in it": f"{text[:40]} {text[40:]}",
        "two lines": f"{text[:40]}\n{text[40:]}",
        "percent-encoded": text.replace("alice", "%61lice"),
        "a letter outside ASCII": text.replace("alice", "al\u0131ce"),
        "the Kelvin sign": _link("kate").replace("kate", "\u212aate"),
        "513 characters": text + "a" * (513 - len(text)),
        "no check": f"{head}/{_base32(body + bytes(2))}",
        "the check of another name": f"{head}/{_sealed('alicf', body)}",
        "a fingerprint cut by five bytes": f"{head}/{_sealed('alice', body[:-5])}",
        "five bytes more": f"{head}/{_sealed('alice', body + bytes(5))}",
        "stray bits in its last letter": f"{head}/{_stray(_sealed('alice', body + b'x'))}",
    }.items():
        given = {"text": typed, "node": NODE.public.hex(), "identity_key": ALICE.public.hex()}
        yield bad(f"link, {what}", "take_link", given, "LINK_INVALID")
    for what, later in {
        "version 2": b"\x02" + body[1:],
        "version 0": b"\x00" + body[1:],
        "version 2, longer": b"\x02" + body[1:] + bytes(30),
        "version 2, without anything": b"\x02",
    }.items():
        given = {
            "text": f"{head}/{_sealed('alice', later)}",
            "node": NODE.public.hex(),
            "identity_key": ALICE.public.hex(),
        }
        yield bad(f"link, {what}", "take_link", given, "UNSUPPORTED_VERSION")


def _stray(letters: str) -> str:
    """The letters with a bit set in the last one that belongs to no byte."""
    assert len(letters) * 5 % 8, "no bit to spare"
    return letters[:-1] + _LETTERS[_LETTERS.index(letters[-1]) + 1]


def _scanned() -> Iterator[Vector]:
    digits = "".join(f"{at * 7919 % 100_000:05d}" for at in range(12))
    number = " ".join(digits[at : at + 5] for at in range(0, 60, 5))
    code = f"usernym-safety:{digits}"
    for what, text in {
        "the code": code,
        "upper case": code.upper(),
        "as it is shown": number,
        "in four lines": "\n".join(number[at : at + 18] for at in range(0, len(number), 18)),
        "the digits alone": digits,
        "spaces around the prefix": f" usernym-safety: {number} ",
    }.items():
        yield good(f"safety number scanned, {what}", "scanned", {"text": text}, {"digits": digits, "code": code})
    for what, text in {
        "empty": "",
        "only a prefix": "usernym-safety:",
        "another prefix": f"usernym:{digits}",
        "two prefixes": f"usernym-safety:{code}",
        "fifty-nine digits": code[:-1],
        "sixty-one digits": code + "0",
        "a letter": code[:-1] + "O",
        "digits outside ASCII": code[:-1] + "\u0661",
        "a superscript": code[:-1] + "\u00b2",
        "dashes": number.replace(" ", "-"),
        "a link": _link(),
    }.items():
        yield bad(f"safety number scanned, {what}", "scanned", {"text": text}, "MALFORMED")


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [*_good(), *_bad(), *_scanned()]
