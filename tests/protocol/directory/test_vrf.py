"""The verifiable random function: RFC 9381's own vectors."""

from __future__ import annotations

from typing import Final

import pytest

from usernym.protocol.directory.events import label_of
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.vrf import VrfKey, proved_output

RFC_9381: Final = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        """90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff
           66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae""",
        """8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d97
           27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805""",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        """eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb
           5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031""",
        """f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465
           301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02""",
    ),
)
"""Examples 16 and 17 of its appendix B.3: secret key, public key, input, output, proof."""


@pytest.mark.parametrize(("secret", "public", "alpha", "output", "proof"), RFC_9381)
def test_the_vectors_of_the_rfc(secret: str, public: str, alpha: str, output: str, proof: str) -> None:
    key = VrfKey.from_seed(bytes.fromhex(secret))
    assert key.public.hex() == public
    assert key.output(bytes.fromhex(alpha)) == bytes.fromhex(output)
    assert key.prove(bytes.fromhex(alpha)) == (bytes.fromhex(output), bytes.fromhex(proof))
    assert proved_output(key.public, bytes.fromhex(alpha), bytes.fromhex(proof)) == bytes.fromhex(output)


KEY: Final = VrfKey.from_seed(b"k" * 32)
ORDER: Final = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize("byte", range(80))
def test_a_proof_with_another_byte_is_refused(byte: int) -> None:
    _, proof = KEY.prove(b"alpha")
    with pytest.raises(DirectoryInvalid):
        proved_output(KEY.public, b"alpha", proof[:byte] + bytes((proof[byte] ^ 1,)) + proof[byte + 1 :])


def test_a_proof_is_of_one_input_by_one_key_and_has_one_form() -> None:
    _, proof = KEY.prove(b"alpha")
    response = int.from_bytes(proof[48:], "little") + ORDER
    for public, alpha, wrong in (
        (KEY.public, b"beta", proof),
        (VrfKey.from_seed(b"j" * 32).public, b"alpha", proof),
        (KEY.public, b"alpha", proof[:48] + response.to_bytes(32, "little")),
        (KEY.public, b"alpha", proof[:-1]),
        (KEY.public, b"alpha", proof + b"\0"),
        (KEY.public, b"alpha", bytes(80)),
        (bytes(32), b"alpha", proof),
    ):
        with pytest.raises(DirectoryInvalid):
            proved_output(public, alpha, wrong)


def test_a_label_is_of_one_name_at_one_node_under_one_key() -> None:
    key, other = VrfKey.from_seed(bytes(32)), VrfKey.from_seed(b"\x01" * 32)
    labels = {
        label_of(each, node, name) for each in (key, other) for node in (b"n" * 32, b"m" * 32) for name in ("ab", "abc")
    }
    assert len(labels) == 8
    assert {len(label) for label in labels} == {32}
    assert label_of(key, b"n" * 32, "ab") == key.output(b"usernym/1 directory label\0\x01" + b"n" * 32 + b"\x02ab")[:32]


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        VrfKey.from_seed(bytes(31))
