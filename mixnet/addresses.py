"""The text form of a Nym address: identity.encryption@gateway, each 32 bytes in base58 (`Recipient` in nymtech/nym)."""

from __future__ import annotations

import re
from typing import Final

import base58

from usernym.mixnet.transport import ADDRESS_BYTES

KEY_BYTES: Final = 32
KEY_LETTERS_MAX: Final = 44
"""32 bytes are at most 44 letters of base58; longer ones are refused before they are decoded."""
ADDRESS_LETTERS_MAX: Final = 3 * KEY_LETTERS_MAX + 2

EMULATED_GATEWAY: Final = b"usernym emulated gateway"
"""How the gateway of an emulated address begins: an address says by itself that it gives no anonymity."""

_ADDRESS: Final = re.compile(r"([1-9A-HJ-NP-Za-km-z]{1,44})\.([1-9A-HJ-NP-Za-km-z]{1,44})@([1-9A-HJ-NP-Za-km-z]{1,44})")


class AddressError(ValueError):
    """This is not a Nym address; the text says why, without repeating it."""


def is_emulated(address: bytes) -> bool:
    """Whether an address is the emulator's."""
    return address[2 * KEY_BYTES :].startswith(EMULATED_GATEWAY)


def format_address(address: bytes) -> str:
    """The text of a 96-byte address. Raises `AddressError` for another length."""
    if len(address) != ADDRESS_BYTES:
        raise AddressError(f"a Nym address has {ADDRESS_BYTES} bytes, not {len(address)}")
    keys = (address[start : start + KEY_BYTES] for start in range(0, ADDRESS_BYTES, KEY_BYTES))
    identity, encryption, gateway = (base58.b58encode(key).decode("ascii") for key in keys)
    return f"{identity}.{encryption}@{gateway}"


def parse_address(text: str) -> bytes:
    """The 96 bytes of an address in text form; each address has exactly one. Raises `AddressError`."""
    if len(text) > ADDRESS_LETTERS_MAX:
        raise AddressError("this is too long for a Nym address")
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise AddressError("a Nym address looks like identity.encryption@gateway, each in base58 letters")
    keys = [base58.b58decode(part) for part in match.groups()]
    for name, key in zip(("identity", "encryption key", "gateway"), keys, strict=True):
        if len(key) != KEY_BYTES:
            raise AddressError(f"the {name} in this Nym address has {len(key)} bytes instead of {KEY_BYTES}")
    return b"".join(keys)
