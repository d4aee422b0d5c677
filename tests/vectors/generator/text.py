"""Vectors of what people read and type (words, names, safety numbers), of challenges and of proof of work."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mnemonic import Mnemonic

from tests.vectors.generator import frames as f
from tests.vectors.generator.base import (
    ALICE,
    BOB,
    NODE,
    NOW,
    OTHER_NODE,
    THIEF,
    Vector,
    bad,
    fixed,
    good,
    labelled,
    pack,
    prefixed,
)
from tests.vectors.generator.frames import Message, frame
from tests.vectors.generator.identity import CHANGED

_LIST: Final = Mnemonic("english").wordlist
_RESERVED_TEXT: Final = (
    "abuse admin administrator anonymous api bot everyone help hostmaster info moderator nobody node node_operator nym "
    "nymtech official operator owner postmaster root security self service staff status support system team usernym "
    "webmaster you"
)
RESERVED: Final = tuple(_RESERVED_TEXT.split())


# -- words -----------------------------------------------------------------------------------------------------------


def _words(entropy: bytes) -> str:
    """BIP-39 for 128 bits: the entropy and four bits of its hash, eleven bits a word."""
    bits = int.from_bytes(entropy, "big") << 4 | hashlib.sha256(entropy).digest()[0] >> 4
    return " ".join(_LIST[bits >> 11 * (11 - at) & 2047] for at in range(12))


def _root(words: str) -> bytes:
    text = unicodedata.normalize("NFKD", words).encode()
    return hashlib.pbkdf2_hmac("sha512", text, b"mnemonic", 2048)


def _derive(root: bytes, context: str, fresh: bytes = b"") -> bytes:
    """HKDF-SHA256 without salt, 32 bytes: one block."""
    key = hmac.digest(bytes(32), root, "sha256")
    return hmac.digest(key, labelled(context, fresh) + b"\x01", "sha256")


def _public(seed: bytes) -> str:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()


def _word_vectors() -> Iterator[Vector]:
    entropies = {"zeros": bytes(16), "ones": b"\xff" * 16, "any": fixed("entropy", 16)}
    for what, entropy in entropies.items():
        yield good(
            f"words from entropy, {what}", "words_from_entropy", {"entropy": entropy.hex()}, {"words": _words(entropy)}
        )
    plain = _words(entropies["any"])
    for what, typed in {
        "zeros": _words(entropies["zeros"]),
        "any": plain,
        "upper case": plain.upper(),
        "spread out": f"\n {plain.replace(' ', '  ')}\t",
    }.items():
        root = _root(" ".join(typed.lower().split()))
        fresh = fixed(f"fresh bytes, {what}", 32)
        seeds = [_derive(root, "identity"), _derive(root, "identity", fresh)]
        expect = {
            "root": root.hex(),
            "identity_seeds": [seed.hex() for seed in seeds],
            "identity_keys": [_public(seed) for seed in seeds],
            "recovery_key": _public(_derive(root, "recovery")),
        }
        yield good(f"words, {what}", "words", {"words": typed, "fresh": fresh.hex()}, expect)
    each = plain.split()
    swapped = next(
        trial
        for at in range(1, 12)
        if each[0] != each[at]
        and _words(_entropy(trial := " ".join([each[at], *each[1:at], each[0], *each[at + 1 :]]))) != trial
    )
    for what, typed in {
        "none": "",
        "eleven": " ".join(each[:11]),
        "thirteen": f"{plain} {each[0]}",
        "two swapped": swapped,
        "zeros, the last word wrong": "abandon " * 11 + "abandon",
        "one that is not on the list": " ".join([*each[:11], "usernym"]),
        "a word cut to four letters": " ".join(["aban", *["abandon"] * 10, "about"]),
        "commas between them": plain.replace(" ", ","),
        "fifteen of a longer kind": Mnemonic("english").to_mnemonic(fixed("entropy", 20)),
    }.items():
        yield {
            "id": f"words, {what}",
            "op": "words",
            "in": {"words": typed},
            "error": {"name": "WORDS_INVALID", "code": None},
        }


def _entropy(words: str) -> bytes:
    bits = 0
    for word in words.split():
        bits = bits << 11 | _LIST.index(word)
    return (bits >> 4).to_bytes(16, "big")


# -- names -----------------------------------------------------------------------------------------------------------


def _skeleton(name: str) -> str:
    return name.replace("0", "o").replace("1", "l").replace("i", "l")


def _name_vectors() -> Iterator[Vector]:
    for typed in ("bob", "Bob99", "  alice ", "\tA_B\n", "a" * 32, "x__", "z0i1lO", "q_9"):
        name = typed.strip().lower()
        expect = {"name": name, "skeleton": _skeleton(name)}
        yield good(f"name typed, {typed!r}", "typed", {"typed": typed}, expect)
    for code, names in {
        "NAME_TOO_SHORT": ("", "a", "ab", "  ab  "),
        "NAME_TOO_LONG": ("a" * 33, "a" * 1000),
        "NAME_BAD_START": ("1abc", "_abc", "007"),
        "NAME_BAD_CHARACTER": (
            "bob-99",
            "bob.b",
            "bob b",
            "b\u00f6b",
            "\u0430lice",
            "bob\u200b",
            "\u212aate",
            "\uff42ob",
            "bob\0",
            "@bob",
            "bob\nb",
            "b\u0131b",
            "\u00df\u00df\u00df",
            "-",
            "\U0001f600" * 3,
        ),
    }.items():
        for typed in names:
            yield bad(f"name typed, {typed!r}"[:60], "typed", {"typed": typed}, code)
    for code, names in {
        "NAME_BAD_CHARACTER": ("Bob", "BOB99", " bob", "bob ", "bob\n", "bob\0", "\u212aate"),
        "NAME_TOO_SHORT": ("", "ab"),
        "NAME_TOO_LONG": ("a" * 33, "a" * 63),
        "NAME_BAD_START": ("9bob", "_bob"),
    }.items():
        for name in names:
            yield bad(f"name on the wire, {name!r}", "name", {"name": name}, code)
    for name in ("bob", "a" * 32, "admin", "a_1"):
        yield good(f"name on the wire, {name!r}", "name", {"name": name}, {"skeleton": _skeleton(name)})
    for name in (*RESERVED, "adm1n", "r00t", "nob0dy", "adminlstrator", "y0u", "offlclal"):
        yield bad(f"reserved, {name}", "registrable", {"name": name}, "NAME_RESERVED")
    for name in ("admins", "rooot", "bob", "you_", "nodes", "nym_"):
        yield good(f"registrable, {name}", "registrable", {"name": name}, {"skeleton": _skeleton(name)})
    for name, code in {"Admin": "NAME_BAD_CHARACTER", "me": "NAME_TOO_SHORT", "0fficial": "NAME_BAD_START"}.items():
        yield bad(f"registrable, {name}", "registrable", {"name": name}, code)


# -- safety numbers --------------------------------------------------------------------------------------------------


def _fingerprint(node: bytes, name: str, key: bytes) -> str:
    value = labelled("safety number", node, prefixed(name), key)
    for _ in range(5200):
        value = hashlib.sha512(value + key).digest()
    return "".join(f"{int.from_bytes(value[at : at + 5], 'big') % 100_000:05d}" for at in range(0, 30, 5))


def _safety_vectors() -> Iterator[Vector]:
    for what, node, mine, theirs in (
        ("alice and bob", NODE, ("alice", ALICE), ("bob", BOB)),
        ("bob and alice", NODE, ("bob", BOB), ("alice", ALICE)),
        ("at another node", OTHER_NODE, ("alice", ALICE), ("bob", BOB)),
        ("a swapped key", NODE, ("alice", ALICE), ("bob", THIEF)),
        ("another name", NODE, ("alice", ALICE), ("bobb", BOB)),
        ("with oneself", NODE, ("alice", ALICE), ("alice", ALICE)),
    ):
        sides = [_fingerprint(node.public, name, key.public) for name, key in (mine, theirs)]
        digits = "".join(sorted(sides))
        number = " ".join(digits[at : at + 5] for at in range(0, 60, 5))
        given = {
            "node": node.public.hex(),
            "mine": [mine[0], mine[1].public.hex()],
            "theirs": [theirs[0], theirs[1].public.hex()],
        }
        yield good(f"safety number, {what}", "safety", given, {"number": number, "fingerprints": sides})


# -- challenges ------------------------------------------------------------------------------------------------------

SECRET: Final = fixed("challenge secret")


def _mac(subject: bytes, nonce: bytes, expires_at: int, difficulty: int, secret: bytes = SECRET) -> bytes:
    data = labelled("challenge", subject, nonce, expires_at.to_bytes(4, "big"), bytes((difficulty,)))
    return hmac.digest(secret, data, "sha256")[:16]


def _register_subject(name: str, record: object) -> bytes:
    assert isinstance(record, tuple)
    identity = record[2]
    assert isinstance(identity, bytes)
    return b"R" + prefixed(name) + identity + hashlib.sha256(pack(record)).digest()


def _challenge_vectors() -> Iterator[Vector]:
    record = f.REGISTER_PROOF.fields[3]
    register = _register_subject("alice", record)
    login = b"L" + prefixed("alice")
    record_hash = hashlib.sha256(pack(record)).digest()
    assert isinstance(record, tuple)
    register_ask = f.REGISTER_ASK.replaced(3, record[2]).replaced(4, record_hash)
    expires = NOW + 600
    for what, ask, subject, difficulty in (
        ("to register", register_ask, register, 18),
        ("to log in", f.LOGIN_ASK, login, 0),
    ):
        given = {
            "secret": SECRET.hex(),
            "ask": frame(ask).hex(),
            "nonce": f.NONCE.hex(),
            "now": NOW,
            "difficulty": difficulty,
        }
        fields = (f.REQUEST_ID, f.NONCE, expires, difficulty, _mac(subject, f.NONCE, expires, difficulty))
        yield good(f"challenge {what}", "challenge", given, {"body": pack((20, *fields)).hex()})

    def registers(mac: bytes, **changed: object) -> Message:
        at = {"name": 2, "record": 3, "nonce": 4, "expires_at": 5, "difficulty": 6}
        message = f.REGISTER_PROOF.replaced(7, mac)
        for field, value in changed.items():
            message = message.replaced(at[field], value)
        return message

    def logs_in(mac: bytes, **changed: object) -> Message:
        at = {"name": 2, "nonce": 3, "expires_at": 4}
        message = f.LOGIN_PROOF.replaced(5, mac)
        for field, value in changed.items():
            message = message.replaced(at[field], value)
        return message

    def given_proof(message: Message, now: int = NOW) -> dict[str, object]:
        return {"secret": SECRET.hex(), "proof": frame(message).hex(), "now": now}

    mac, login_mac = _mac(register, f.NONCE, expires, 18), _mac(login, f.NONCE, expires, 0)
    for at in (NOW, expires):
        yield good(f"proof of a registration, {at - NOW} s later", "proof", given_proof(registers(mac), at), {})
        yield good(f"proof of a login, {at - NOW} s later", "proof", given_proof(logs_in(login_mac), at), {})
    for what, message in {"registration": registers(mac), "login": logs_in(login_mac)}.items():
        yield bad(
            f"proof of a {what}, a second too late", "proof", given_proof(message, expires + 1), "CHALLENGE_EXPIRED"
        )
    flipped = bytes((mac[0] ^ 1,)) + mac[1:]
    other_nonce = fixed("other nonce", 16)
    for what, message in {
        "registration, a flipped bit in its MAC": registers(flipped),
        "registration, MAC of zeros": registers(bytes(16)),
        "registration, another name": registers(mac, name="alicf"),
        "registration, a name too long for a prefix": registers(mac, name="\U0001f600" * 63),
        "registration, another record": registers(mac, record=CHANGED),
        "registration, another nonce": registers(mac, nonce=other_nonce),
        "registration, a later expiry": registers(mac, expires_at=expires + 1),
        "registration, less difficulty": registers(mac, difficulty=17),
        "registration, another secret": registers(_mac(register, f.NONCE, expires, 18, fixed("other secret"))),
        "registration, a login's challenge": registers(login_mac, difficulty=0),
        "login, a registration's challenge": logs_in(mac),
        "login, another name": logs_in(login_mac, name="bob"),
        "login, another nonce": logs_in(login_mac, nonce=other_nonce),
        "login, a later expiry": logs_in(login_mac, expires_at=expires + 1),
        "login, a flipped bit in its MAC": logs_in(bytes((login_mac[0] ^ 128,)) + login_mac[1:]),
        "login, a challenge with difficulty": logs_in(_mac(login, f.NONCE, expires, 1)),
        "login, MAC without label": logs_in(
            hmac.digest(SECRET, login + f.NONCE + expires.to_bytes(4, "big") + b"\0", "sha256")[:16]
        ),
    }.items():
        yield bad(f"proof of a {what}", "proof", given_proof(message), "CHALLENGE_INVALID")
    yield bad(
        "proof of a registration, late with a forged MAC",
        "proof",
        given_proof(registers(flipped), expires + 1),
        "CHALLENGE_INVALID",
    )


def _work_bits(node: bytes, nonce: bytes, counter: int) -> int:
    value = hashlib.sha256(labelled("work", node, nonce, counter.to_bytes(8, "big"))).digest()
    return 256 - int.from_bytes(value, "big").bit_length()


def _work_vectors() -> Iterator[Vector]:
    for bits in (0, 1, 8, 12, 16):
        counter = next(at for at in range(2**24) if _work_bits(NODE.public, f.NONCE, at) >= bits)
        given: dict[str, object] = {"node": NODE.public.hex(), "nonce": f.NONCE.hex(), "counter": counter, "bits": bits}
        yield good(f"work of {bits} bits", "work", given, {"first": counter})
        if bits >= 8:
            exact = _work_bits(NODE.public, f.NONCE, counter)
            changes: dict[str, dict[str, object]] = {
                "for another nonce": {"nonce": fixed("other nonce", 16).hex()},
                "for another node": {"node": OTHER_NODE.public.hex()},
                "the counter before": {"counter": counter - 1},
                "a bit short": {"bits": exact + 1},
                "the largest counter": {"counter": 2**63 - 1},
            }
            for what, changed in changes.items():
                yield bad(f"work of {bits} bits, {what}", "work", given | changed, "WORK_INSUFFICIENT")


def _lookup_work_bits(node: bytes, request_id: bytes, ticket: int, counter: int) -> int:
    subject = labelled("lookup work", node, request_id, ticket.to_bytes(4, "big"), counter.to_bytes(8, "big"))
    return 256 - int.from_bytes(hashlib.sha256(subject).digest(), "big").bit_length()


def _lookup_work_vectors() -> Iterator[Vector]:
    def works(bits: int, minute: int, now: int) -> dict[str, object]:
        ticket = minute % 2**24 << 8 | bits
        counter = next(at for at in range(2**24) if _lookup_work_bits(NODE.public, f.REQUEST_ID, ticket, at) >= bits)
        named: dict[str, object] = {"node": NODE.public.hex(), "request_id": f.REQUEST_ID.hex()}
        return named | {"ticket": ticket, "counter": counter, "now": now}

    for bits in (0, 8, 16):
        minute = NOW // 60
        given = works(bits, minute, NOW)
        first = {"first": given["counter"]}
        yield good(f"lookup work of {bits} bits", "lookup work", given, first)
        late = given | {"now": (minute + 3) * 60 - 1}
        yield good(f"lookup work of {bits} bits, at the last moment", "lookup work", late, first)
        changes: dict[str, dict[str, object]] = {
            "too late": {"now": (minute + 3) * 60},
            "before its ticket": {"now": minute * 60 - 1},
        }
        if bits:
            changes |= {
                "for another request": {"request_id": fixed("other request", 8).hex()},
                "for another node": {"node": OTHER_NODE.public.hex()},
                "for the minute before": works(bits, minute - 1, NOW) | {"counter": given["counter"]},
                "the counter before": {"counter": int(str(given["counter"])) - 1},
            }
        for what, changed in changes.items():
            yield bad(f"lookup work of {bits} bits, {what}", "lookup work", given | changed, "WORK_INSUFFICIENT")
    given = works(8, 2**24 - 1, (2**24 + 1) * 60)
    yield good("lookup work, the largest minute, two later", "lookup work", given, {"first": given["counter"]})


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [
        *_word_vectors(),
        *_name_vectors(),
        *_safety_vectors(),
        *_challenge_vectors(),
        *_work_vectors(),
        *_lookup_work_vectors(),
    ]
