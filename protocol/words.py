"""Recovery words: the keys that twelve words make.

docs/protocol.md, "Words". BIP-39 gives a root; the recovery key and the identity keys are derived from it (HKDF, RFC
5869). Of all these only the present identity is stored; the words are shown once.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic

from usernym.protocol.limits import SEED_BYTES
from usernym.protocol.signing import Context, SigningKey, labelled

ENTROPY_BYTES: Final = 16
"""128 bits, twelve words: out of reach of guessing, and short enough to be written down without a mistake."""


class WordsInvalid(Exception):
    """These are not recovery words; the text says what is wrong, without repeating them."""


@cache
def _english() -> Mnemonic:
    return Mnemonic("english")


def words_from_entropy(entropy: bytes) -> str:
    """Twelve words, separated by single spaces, from 16 random bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"recovery words are made from {ENTROPY_BYTES} bytes")
    return _english().to_mnemonic(entropy)


def root_from_words(words: str) -> bytes:
    """The 64-byte BIP-39 seed (no passphrase) of words as a person types them. Raises `WordsInvalid`."""
    normal = " ".join(words.lower().split())
    count = len(normal.split())
    if count != 12:
        raise WordsInvalid(f"there are twelve recovery words, not {count}")
    known = set(_english().wordlist)
    unknown = [str(at) for at, word in enumerate(normal.split(), 1) if word not in known]
    if unknown:
        raise WordsInvalid(f"not on the list of words: number {', '.join(unknown)}")
    if not _english().check(normal):
        raise WordsInvalid("one of the words is wrong, or two are swapped: their checksum does not hold")
    return Mnemonic.to_seed(normal)


def _derive(root: bytes, context: Context, fresh: bytes = b"") -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=labelled(context, fresh)).derive(root)


def first_identity_seed(root: bytes) -> bytes:
    """The 32-byte seed of the identity key that a name begins with: the words alone make it again."""
    return _derive(root, Context.IDENTITY)


def next_identity_seed(root: bytes, fresh: bytes) -> bytes:
    """The 32-byte seed of an identity key that replaces another, from 32 fresh random bytes.

    Nothing else chooses it, so no one can make it a key that was used, and perhaps stolen, before
    (`ReplacementsAreNew` in docs/models/Succession.tla).
    """
    if len(fresh) != SEED_BYTES:
        raise ValueError(f"an identity is made from {SEED_BYTES} fresh bytes")
    return _derive(root, Context.IDENTITY, fresh)


def recovery_key(root: bytes) -> SigningKey:
    """The recovery key: it authorises a new identity when the old one is lost or stolen."""
    return SigningKey.from_seed(_derive(root, Context.RECOVERY))
