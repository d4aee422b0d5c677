"""Every decoder takes bytes of anyone: it gives a value whose one encoding they are, or the one error it names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.helpers.fuzzing import Fuzzer, altered, altered_text, pool, seeds_for, texts
from usernym import settings
from usernym.cli.holder import handler
from usernym.errors import SettingsError
from usernym.mixnet import nym_api as api
from usernym.mixnet.addresses import AddressError, format_address, parse_address
from usernym.mixnet.emulator.json_api import decode_text_request
from usernym.printable import marked, printable
from usernym.protocol import cards, codec, links, names, payloads, records, safety, words
from usernym.protocol import messages as m
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import ADDRESS_BYTES, SIGNATURE_BYTES, VERSION
from usernym.protocol.sealing import Envelope, MessageKey, seal
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.errors import StorageError
from usernym.storage.keyfile import Argon2Cost, create_key, protection, read_key
from usernym.storage.node.mail import Mail, NoticeKind, mail_of, not_opened_blob, notice_tells
from usernym.storage.node.notices import Notice


def encoded_frame(frame: codec.Frame) -> bytes:
    """What a decoded frame must have been, but for its signature."""
    return bytes((VERSION,)) + pack(frame.message)


def same_frame(data: bytes) -> None:
    frame = codec.decode(data)
    signature = SIGNATURE_BYTES if codec.is_signed(frame.message) else 0
    assert encoded_frame(frame) == data[: len(data) - signature]


def same(decode: Callable[[bytes], Any], encode: Callable[[Any], bytes]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        assert encode(decode(data)) == data

    return check


def unpadded(data: bytes) -> None:
    payload = payloads.unpad_payload(data)
    assert data.startswith(pack(payload) + b"\x80")


@dataclass(frozen=True)
class Decoder:
    """A decoder of bytes: `check` decodes them and compares, `errors` are what it may raise."""

    name: str
    check: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...] = ()


MAIL = pack(Mail(7, b"s" * 1_338, bytes(64), bytes(32), bytes(32)))
REQUESTS = tuple(
    api.encode_request(request)
    for request in (api.SendAnonymous(bytes(96), b"data", 5), api.Reply(bytes(16), b"data"), api.SelfAddress())
)
RESPONSES = tuple(
    api.encode_response(response)
    for response in (api.ReceivedResponse(b"data", bytes(16)), api.SelfAddressResponse(bytes(96)))
)

DECODERS = [
    Decoder("frame", same_frame, (RemoteProtocolError,)),
    Decoder("record", same(records.decode_record, pack), (RemoteProtocolError,)),
    Decoder("succession", same(records.decode_succession, pack), (RemoteProtocolError,)),
    Decoder("card", same(cards.decode_card, pack), (RemoteProtocolError,)),
    Decoder("payload", unpadded, (RemoteProtocolError,)),
    Decoder("mail", same(mail_of, pack), (RemoteProtocolError,), (MAIL,)),
    Decoder("request", same(api.decode_request, api.encode_request), (api.ApiError,), REQUESTS),
    Decoder("response", same(api.decode_response, api.encode_response), (api.ApiError,), RESPONSES),
]


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_bytes_are_one_value_or_one_error(fuzz: Fuzzer, decoder: Decoder) -> None:
    if decoder.name == "card":
        card = cards.make_card(SigningKey.from_seed(bytes(32)), [bytes(ADDRESS_BYTES)], 3, 20_000)
        seeds = [pack(card)]
    elif decoder.name == "payload":
        text = payloads.Text(3, 9, bytes(16), None, None, "hello")
        seeds = [payloads.pad_payload(text, first_contact=False)]
    else:
        seeds = list(decoder.seeds) or seeds_for(decoder.check, decoder.errors)

    def body(data: bytes) -> None:
        with contextlib.suppress(*decoder.errors):
            decoder.check(data)

    fuzz(altered([*seeds, *pool()[:40]]), body, 400)


def test_a_seal_opens_or_does_not(fuzz: Fuzzer) -> None:
    key = MessageKey.from_seed(bytes(32))
    envelope = Envelope(bytes(32), "ann", "bob", bytes(32), bytes(32), 1, bytes(16))
    whole = seal(key.public, b"plain", envelope)

    def body(data: bytes) -> None:
        try:
            assert key.open(data, envelope) == b"plain"
            assert data == whole
        except RemoteProtocolError:
            assert data != whole

    fuzz(altered([whole]), body, 150)


def test_a_notice_in_the_store(fuzz: Fuzzer) -> None:
    def body(example: tuple[bytes, int]) -> None:
        blob, kind = example
        try:
            tells = notice_tells([Notice(1, "ann", kind, blob, 1, 2)], bytes(16))
        except (RemoteProtocolError, ValueError):
            return
        assert len(tells) == 1

    seeds = [bytes(16), not_opened_blob("bob", bytes(16), bytes(64))]
    fuzz(st.tuples(altered(seeds), st.integers(0, 5) | st.sampled_from([int(kind) for kind in NoticeKind])), body)


# -- texts ------------------------------------------------------------------------------------------------------------

CARD = cards.card_text(cards.make_card(SigningKey.from_seed(bytes(32)), [bytes(ADDRESS_BYTES)], 3, 20_000))


def test_a_card_that_somebody_typed(fuzz: Fuzzer) -> None:
    def body(text: str) -> None:
        try:
            card = cards.parse_card(text)
        except RemoteProtocolError:
            return
        assert cards.card_text(card) == text.strip()

    fuzz(altered_text([CARD, *texts()]), body)


def test_a_link_that_somebody_typed(fuzz: Fuzzer) -> None:
    whole = links.link_text(links.make_link(bytes(32), "alice_01", bytes(32)))

    def body(text: str) -> None:
        try:
            link = links.parse_link(text)
        except RemoteProtocolError:
            return
        assert links.link_text(link) == text.strip().lower()

    fuzz(altered_text([whole, whole.upper(), *texts()]), body)


def test_a_safety_number_that_somebody_scanned(fuzz: Fuzzer) -> None:
    def body(text: str) -> None:
        try:
            digits = safety.parse_number(text)
        except RemoteProtocolError:
            return
        assert len(digits) == 60
        assert safety.number_code(digits).removeprefix("usernym-safety:") in "".join(text.split())

    fuzz(altered_text([safety.number_code("12345 " * 12), "12345 " * 12, *texts()]), body)


def test_a_name_that_somebody_typed(fuzz: Fuzzer) -> None:
    def body(text: str) -> None:
        try:
            name = names.canonical(text)
        except RemoteProtocolError:
            return
        names.check(name)
        assert names.canonical(name) == name
        assert names.skeleton(names.skeleton(name)) == names.skeleton(name)

    fuzz(altered_text(["alice", "Bob_7", "x" * 32, *texts()]), body)


def test_recovery_words_that_somebody_typed(fuzz: Fuzzer) -> None:
    whole = words.words_from_entropy(bytes(16))

    def body(text: str) -> None:
        try:
            assert len(words.root_from_words(text)) == 64
        except words.WordsInvalid:
            return
        assert len(text.split()) == 12

    fuzz(altered_text([whole, *texts()]), body, 100)


def test_an_address_that_somebody_typed(fuzz: Fuzzer) -> None:
    whole = format_address(bytes(range(ADDRESS_BYTES)))

    def body(text: str) -> None:
        try:
            address = parse_address(text)
        except AddressError:
            return
        assert len(address) == ADDRESS_BYTES
        assert parse_address(format_address(address)) == address

    fuzz(altered_text([whole]), body)


def test_a_line_on_the_control_socket(fuzz: Fuzzer) -> None:
    good = {"version": 1, "timeout": 5, "command": {"do": "send", "name": "bob", "text": "x", "wait": "accepted"}}
    handle = handler(lambda command, _: type(command).__name__)

    def body(line: bytes) -> None:
        answer = handle(line)
        assert answer in ({"garbage": True}, {"result": answer.get("result")})

    fuzz(altered([json.dumps(good).encode(), b'{"version":1,"timeout":1,"command":{"do":"node status"}}']), body)


def test_a_request_in_json(fuzz: Fuzzer) -> None:
    good = ['{"type": "selfAddress"}', json.dumps({"type": "send", "message": "x", "recipient": "a.b@c"})]

    def body(text: str) -> None:
        try:
            request = decode_text_request(text)
        except api.ApiError:
            return
        assert isinstance(request, (api.SelfAddress, api.Send, api.SendAnonymous, api.Reply))

    fuzz(altered_text(good), body)


def test_a_settings_file(fuzz: Fuzzer, tmp_path: Path) -> None:
    good = 'log_level = "info"\ntimeout = "5s"\n[node]\nmixnet = "ws://127.0.0.1:1"\nwork_bits = 17\nmetrics_port = 0\n'
    path = tmp_path / "usernym.toml"

    def body(data: bytes) -> None:
        path.write_bytes(data)
        try:
            found = settings.read_settings(settings.NodeSettings, tmp_path, environment={})
        except SettingsError:
            return
        assert found.log_level in settings.LOG_LEVELS
        assert 16 <= found.work_bits <= 26
        assert 0 < found.timeout <= settings.DURATION_S_MAX

    fuzz(altered([good.encode(), b'[client]\nnode = "x"\naccept_strangers = true\n']), body)


def test_a_key_file(fuzz: Fuzzer, tmp_path: Path) -> None:
    raw, wrapped, path = tmp_path / "raw", tmp_path / "wrapped", tmp_path / "altered"
    cost = Argon2Cost(memory_kib=64, passes=1)
    create_key(raw, None, unprotected=True, cost=cost, random_bytes=bytes)
    create_key(wrapped, "pass", unprotected=False, cost=cost, random_bytes=bytes)
    path.touch(0o600)

    def body(data: bytes) -> None:
        path.write_bytes(data)
        # An altered cost is refused by its bounds, or makes a key that fits nothing: it need not be derived here.
        passphrase = "pass" if data[9:21] == wrapped.read_bytes()[9:21] else None
        for read in (lambda: protection(path), lambda: read_key(path, passphrase)):
            try:
                read()
            except StorageError:
                continue

    fuzz(altered([raw.read_bytes(), wrapped.read_bytes()]), body)


def test_whatever_a_peer_wrote_steers_no_terminal(fuzz: Fuzzer) -> None:
    def body(text: str) -> None:
        shown = printable(text)
        assert "\x1b" not in shown
        assert "\n" not in shown
        for line in marked(text, 80).split("\n")[1:]:
            assert line.startswith("    | ")

    fuzz(altered_text(["\x1b[2Jred\x07\u202e\r\n", "a\u2028b", *texts()]) | st.text(), body)


def test_every_kind_of_frame_is_among_the_seeds() -> None:
    taken = seeds_for(codec.decode, RemoteProtocolError)
    kinds = {type(codec.decode(data).message) for data in taken}
    assert kinds == set(m.Message.__args__)
