"""Under simulation a signature that was made here is not verified again; all others are."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from usernym.protocol import signing
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.signing import Context, SigningKey, labelled, verify
from usernym.testing import signatures
from usernym.testing.loop import Quiet

SEED, OTHER = bytes(32), bytes(range(32))


@pytest.fixture(autouse=True)
def outside_of_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each test signatures are the product's, in `make quick` too."""
    monkeypatch.setattr(signing, "Ed25519PrivateKey", Ed25519PrivateKey)
    monkeypatch.setattr(signing, "Ed25519PublicKey", Ed25519PublicKey)


def test_what_was_signed_here_is_valid_and_nothing_else() -> None:
    with Quiet():
        key, other = SigningKey.from_seed(SEED), SigningKey.from_seed(OTHER)
        signature = key.sign(Context.TELL, b"one")
        verify(key.public, signature, Context.TELL, b"one")
        for public, signed, context, said in (
            (other.public, signature, Context.TELL, b"one"),
            (key.public, signature, Context.TELL, b"two"),
            (key.public, signature, Context.ANSWER, b"one"),
            (key.public, bytes(64), Context.TELL, b"one"),
            (key.public, other.sign(Context.TELL, b"one"), Context.TELL, b"one"),
        ):
            with pytest.raises(RemoteProtocolError):
                verify(public, signed, context, said)


def test_signatures_are_the_products() -> None:
    outside = SigningKey.from_seed(SEED)
    with Quiet():
        inside = SigningKey.from_seed(SEED)
        assert inside.public == outside.public
        assert inside.sign(Context.TELL, b"one") == outside.sign(Context.TELL, b"one")
        assert inside.derived_seed(Context.VRF_KEY) == outside.derived_seed(Context.VRF_KEY)
        made_elsewhere = Ed25519PrivateKey.from_private_bytes(OTHER).sign(labelled(Context.TELL, b"one"))
        verify(SigningKey.from_seed(OTHER).public, made_elsewhere, Context.TELL, b"one")
    verify(outside.public, inside.sign(Context.TELL, b"two"), Context.TELL, b"two")
    assert vars(signing)["Ed25519PublicKey"] is Ed25519PublicKey


def test_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "REMEMBERED_MAX", 3)
    with Quiet():
        key = SigningKey.from_seed(SEED)
        signed = [key.sign(Context.TELL, bytes((number,))) for number in range(5)]
        assert list(signatures._made) == signed[2:]
        for number, signature in enumerate(signed):
            verify(key.public, signature, Context.TELL, bytes((number,)))
    assert not signatures._made
