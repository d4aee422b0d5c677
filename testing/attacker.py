"""A hostile user with one thing in mind: an account that logs in, and then does what a step names, many times.

Unlike `Mallory`, who tries everything once, it repeats one kind of harm until bounds are reached, may be someone's
contact, and reads what the node answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Literal, get_args

import msgspec

from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.protocol.limits import (
    ADDRESS_BYTES,
    FILE_BYTES_MAX,
    FRAME_BYTES_MAX,
    HASH_BYTES,
    HPKE_KEY_BYTES,
    ID_BYTES,
    PACKETS_MAX,
    SEAL_OVERHEAD_BYTES,
    SIGNATURE_BYTES,
    SURBS_GIVEN_MAX,
    TOKEN_BYTES,
    UINT32_MAX,
)
from usernym.protocol.records import KeyRecord, sign_record
from usernym.protocol.sealing import Envelope
from usernym.testing.outsider import Outsider
from usernym.testing.world import World

Harm = Literal[
    "receipts", "poison", "broken_signature", "unopenable", "impossible_size", "extremes", "texts", "old_key",
    "replay", "longest", "surb_lies", "wrong_token", "false_statement", "false_files",
]  # fmt: skip
"""What a hostile user does. Kinds of payload that no one should send this way, fields that no client would choose, and
false words about what was received."""

ATTACKERS: Final = ("eve", "trudy")
"""Names of hostile users. A name of three letters makes the longest `Deliver` of a `Forward`."""
KEPT: Final = 200
"""Deliveries that it remembers."""
ASKED_AFTER_S: Final = 5.0
"""Virtual seconds after which a recipient has asked for a file if all is well."""
PACE_S: Final = 0.02
"""Virtual seconds between two frames of a flood: Nym's 50 packets a second."""


class Attacker(Outsider):
    """A hostile user. `overheard` is called with what the node sends to this client although it is not for it."""

    def __init__(self, world: World, name: str, overheard: Callable[[str, str], None]) -> None:
        super().__init__(world, name)
        self._overheard = overheard
        self.login_id = b""
        self.delivered: deque[m.Deliver] = deque(maxlen=KEPT)
        self._first_records: dict[str, KeyRecord] = {}
        self._harms: dict[Harm, Callable[[str, KeyRecord], None]] = {
            "receipts": self._receipt, "poison": self._poison, "broken_signature": self._broken_signature,
            "unopenable": self._unopenable, "impossible_size": self._impossible_size, "extremes": self._extremes,
            "texts": self._text, "old_key": self._old_key, "replay": self._replay, "longest": self._longest,
            "surb_lies": self._surb_lie, "wrong_token": self._wrong_token, "false_statement": self._false_statement,
            "false_files": self._false_file,
        }  # fmt: skip
        assert set(self._harms) == set(get_args(Harm))

    # -- an account with a route --

    def hear(self, message: m.Message) -> None:
        """Keep what is delivered; report what the node sent here although it is for another's login."""
        if isinstance(message, m.LoggedIn):
            self.login_id = message.login_id
        elif isinstance(message, get_args(m.Tell)):
            if self._is_anothers(message.login_id):
                self._overheard(self.name, type(message).__name__)
            if isinstance(message, m.Deliver):
                self.delivered.append(message)

    def _is_anothers(self, login_id: bytes) -> bool:
        for client in self.world.clients.values():
            if client.running:
                with client.without_faults():
                    if client.store.profile.login_id() == login_id:
                        return True
        return False

    def log_in(self) -> bool:
        """Be registered, and have a live route with SURBs on it."""
        if not self.register():
            return False
        beat = m.Heartbeat(self.new_id(), 2, self.name, self.login_id or bytes(ID_BYTES), ())
        if not isinstance(self.ask(beat), m.Alive):
            challenge = self.ask(m.LoginAsk(self.new_id(), 2, self.name))
            if not isinstance(challenge, m.Challenge):
                return False
            sequence = self.world.node.card.sequence
            proof = m.LoginProof(
                self.new_id(), 2, self.name, challenge.nonce, challenge.expires_at, challenge.mac, sequence, 255
            )
            if not isinstance(self.ask(proof), m.LoggedIn):
                return False
        self.top_up()
        return True

    def top_up(self) -> None:
        """Give the node SURBs for what comes."""
        self.tell(m.TopUp(SURBS_GIVEN_MAX, self.name, self.login_id), SURBS_GIVEN_MAX)

    # -- harm --

    def attack(self, harm: Harm, victim: str, count: int) -> None:
        """Do it so many times. Nothing happens where the node is not there."""
        if not self.log_in():
            return
        record = self.look_up(victim)
        if record is None:
            return
        self._first_records.setdefault(victim, record)
        for _ in range(count):
            self._harms[harm](victim, record)
            self.world.sim.run_for(PACE_S)

    def probe(self, victim: str, record: KeyRecord) -> str:
        """Hand a small text in; what the node says to it, in a word, or nothing."""
        answer = self.ask(self._sealed(victim, record, self._payload()), 0)
        if isinstance(answer, m.Refused):
            return Code(answer.code).name
        return "" if answer is None else type(answer).__name__

    def _payload(self, text: str = "x", record: KeyRecord | None = None) -> p.Text:
        return p.Text(1, self.world.sim.unix_s(), self.rng.randbytes(TOKEN_BYTES), record, None, text)

    def _sealed(self, victim: str, record: KeyRecord, payload: p.Payload) -> m.Forward:
        return self.forward(victim, record, p.pad_payload(payload, first_contact=True))

    def _raw(self, victim: str, record: KeyRecord, sealed: bytes) -> m.Forward:
        """Bytes that are no seal, signed as though they were."""
        node, message_id = self.world.node.card.node, self.rng.randbytes(ID_BYTES)
        envelope = Envelope(
            node, self.name, victim, self.key.public, record.identity_key, record.hpke_number, message_id
        )  # fmt: skip
        return m.Forward(
            self.new_id(), self.name, victim, message_id, self.world.sim.unix_s(), record.hpke_number, sealed,
            envelope.sign(self.key, sealed), self.key.public,
        )  # fmt: skip

    def _receipt(self, victim: str, record: KeyRecord) -> None:
        """A `DirectReceipt` through the node."""
        received = (p.Received(self.rng.randbytes(ID_BYTES), self.rng.randbytes(TOKEN_BYTES)),)
        now, token = self.world.sim.unix_s(), self.rng.randbytes(TOKEN_BYTES)
        self.tell(self._sealed(victim, record, p.DirectReceipt(0, now, token, None, received)))

    def _poison(self, victim: str, record: KeyRecord) -> None:
        """A text with a record of ours that no node ever had, with the highest numbers."""
        garbage = self.rng.randbytes(HPKE_KEY_BYTES)
        highest = msgspec.structs.replace(
            self.record, number=UINT32_MAX, hpke_number=UINT32_MAX, hpke_key=garbage, signature=b""
        )
        node = self.world.node.card.node
        self.tell(self._sealed(victim, record, self._payload(record=sign_record(self.key, node, self.name, highest))))

    def _broken_signature(self, victim: str, record: KeyRecord) -> None:
        forward = self._sealed(victim, record, self._payload())
        self.tell(msgspec.structs.replace(forward, inner_signature=self.rng.randbytes(SIGNATURE_BYTES)))

    def _unopenable(self, victim: str, record: KeyRecord) -> None:
        size = p.plaintext_bytes(1, first_contact=True) + SEAL_OVERHEAD_BYTES
        self.tell(self._raw(victim, record, self.rng.randbytes(size)))

    def _impossible_size(self, victim: str, record: KeyRecord) -> None:
        self.tell(self._raw(victim, record, self.rng.randbytes(self.rng.choice((1, 100, 1136, 1337, 1500, 30_000)))))

    def _extremes(self, victim: str, record: KeyRecord) -> None:
        rng = self.rng
        counter, sent_at, seen = rng.choice((0, UINT32_MAX)), rng.choice((0, UINT32_MAX)), rng.choice((0, UINT32_MAX))
        token, address = rng.randbytes(TOKEN_BYTES), rng.choice((self.transport.address, bytes(ADDRESS_BYTES)))
        payloads: tuple[p.Payload, ...] = (
            p.Text(counter, sent_at, token, None, None, "x"),
            p.HandshakeOffer(counter, sent_at, token, None, address, seen),
            p.HandshakeAccept(counter, sent_at, token, None, address, seen),
            p.HandshakeRevoke(counter, sent_at, token, None, seen),
            p.FileOffer(counter, sent_at, token, None, "../x", FILE_BYTES_MAX, 255, bytes(HASH_BYTES)),
            p.FileWanted(counter, sent_at, token, None, token),
            p.FileChunk(counter, sent_at, token, None, token, seen, b"x"),
            p.FileEnded(counter, sent_at, token, None, token),
        )
        self.tell(self._sealed(victim, record, rng.choice(payloads)))

    def _text(self, victim: str, record: KeyRecord) -> None:
        text = "x" * self.rng.choice((1, 130, 1_000, 20_000))
        self.tell(self._sealed(victim, record, self._payload(text)))

    def _old_key(self, victim: str, _record: KeyRecord) -> None:
        """Sealed to the first key that it saw of the victim."""
        self.tell(self._sealed(victim, self._first_records[victim], self._payload()))

    def _replay(self, victim: str, record: KeyRecord) -> None:
        """One text, again under another request id and date, and its seal under another message id."""
        forward = self._sealed(victim, record, self._payload())
        again = msgspec.structs.replace(forward, request_id=self.new_id(), made_at=forward.made_at + 1)
        moved = msgspec.structs.replace(forward, request_id=self.new_id(), message_id=self.rng.randbytes(ID_BYTES))
        for each in (forward, forward, again, moved):
            self.tell(each)

    def _longest(self, victim: str, record: KeyRecord) -> None:
        """The longest seal of a size that exists, and the longest frame of all."""
        longest = p.plaintext_bytes(PACKETS_MAX, first_contact=True) + SEAL_OVERHEAD_BYTES
        self.tell(self._raw(victim, record, bytes(longest)))
        rest = FRAME_BYTES_MAX - len(self.encode(self._raw(victim, record, bytes(longest))))
        self.tell(self._raw(victim, record, bytes(longest + rest)))

    def _surb_lie(self, _victim: str, _record: KeyRecord) -> None:
        """Long texts to itself, and SURBs that are only said to be there."""
        self.tell(self._sealed(self.name, self.record, self._payload("x" * 60_000)))
        self.tell(m.TopUp(200, self.name, self.login_id), 1)

    def _wrong_token(self, victim: str, _record: KeyRecord) -> None:
        """Acknowledge what the victim wrote, with a token that was not in it."""
        for each in self._of(victim):
            item = m.Acknowledged(victim, each.message_id, self.rng.randbytes(TOKEN_BYTES))
            self.tell(m.Acknowledge(2, self.name, self.login_id, (item,), ()), 2)

    def _false_statement(self, victim: str, _record: KeyRecord) -> None:
        """Say that what the victim wrote can't be opened, in a statement that no key signed."""
        for each in self._of(victim):
            statement = self.rng.randbytes(SIGNATURE_BYTES)
            self.tell(m.Unopenable(2, self.name, self.login_id, victim, each.message_id, statement), 2)

    def _false_file(self, victim: str, record: KeyRecord) -> None:
        """Offer a file; soon after, when the victim may have asked for it, send another one in its place."""
        common = self.world.sim.unix_s(), self.rng.randbytes(TOKEN_BYTES), None
        content = self.rng.randbytes(self.rng.choice((1, 100)))
        offer = self._sealed(victim, record, p.FileOffer(1, *common, "x.png", len(content), 1, bytes(HASH_BYTES)))
        chunk = self._sealed(victim, record, p.FileChunk(0, *common, offer.message_id, 0, content))
        self.tell(offer)
        self.world.sim.call_later(ASKED_AFTER_S, lambda: self.tell(chunk))

    def _of(self, victim: str) -> list[m.Deliver]:
        found = {each.message_id: each for each in self.delivered if each.sender == victim}
        self.delivered = deque((each for each in self.delivered if each.sender != victim), maxlen=KEPT)
        return list(found.values())
