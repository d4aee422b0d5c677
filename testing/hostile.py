"""Hostile parties: a node that lies, a stranger with an account, a mixnet that repeats messages.

What they can't do: sign for others. A node may lie about a name that a user has never looked up
before, and give its own key for it; nothing but a compared safety number shows that, and so it is not tried here.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, get_args

import msgspec

from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.codec import decode, encode_unsigned
from usernym.protocol.directory.proofs import OtherLeaf
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import HASH_BYTES, ID_BYTES, SEED_BYTES, SIGNATURE_BYTES, TOKEN_BYTES
from usernym.protocol.records import KeyRecord, decode_record, first_record
from usernym.protocol.sealing import Envelope, seal
from usernym.protocol.signing import SigningKey
from usernym.testing.between import BetweenTransport
from usernym.testing.outsider import Outsider, flipped
from usernym.testing.process import NodeProcess
from usernym.testing.tap import Heard
from usernym.testing.world import World

SEALED_BYTES: Final = p.plaintext_bytes(1, first_contact=True)
"""The smallest plaintext that a node takes sealed."""
KEPT: Final = 200
"""Messages that the mixnet remembers, to say them again."""


def forgery(
    world: World, rng: random.Random, to: str, record: KeyRecord, sender: str, sender_key: bytes, key: SigningKey
) -> m.Deliver:
    """A text that `sender` never wrote, sealed to `to` as though `sender_key` were the sender's, and signed with
    `key`."""
    message_id, number = rng.randbytes(ID_BYTES), rng.randint(1, 2**31)
    payload = p.Text(number, world.sim.unix_s(), rng.randbytes(TOKEN_BYTES), None, None, f"forged {number}")
    envelope = Envelope(
        world.node.card.node, sender, to, sender_key, record.identity_key, record.hpke_number, message_id
    )  # fmt: skip
    sealed = seal(record.hpke_key, p.pad_payload(payload, first_contact=False), envelope)
    signature = envelope.sign(key, sealed)
    return m.Deliver(bytes(ID_BYTES), 1, sender, message_id, record.hpke_number, sealed, signature, None)


class LyingTransport(BetweenTransport):
    """Between a node and the mixnet: what the node says goes out altered, one time in `one_in`, signed by its key."""

    def __init__(self, transport: Any, node: NodeProcess, rng: random.Random) -> None:
        super().__init__(transport, node)
        self._rng = rng
        self._told: dict[bytes, m.Deliver] = {}
        self._tags: dict[str, bytes] = {}
        self._logins: dict[bytes, bytes] = {}
        self.one_in = 0

    def hears(self, message: m.Message, tag: bytes) -> bool:
        """It takes note of who logs in from where."""
        if isinstance(message, m.LoginProof):
            self._tags[message.name] = tag
        return True

    def reply(self, tag: bytes, data: bytes) -> None:
        """Say it, or something else."""
        message = decode(data).message
        if isinstance(message, m.Deliver):
            self._told[tag] = message
        elif isinstance(message, m.LoggedIn):
            self._logins[tag] = message.login_id
        if not self.one_in or self._rng.randrange(self.one_in):
            self._transport.reply(tag, data)
            return
        if isinstance(message, m.Deliver) and self._rng.random() < 0.3:
            self._claim_delivery(message)
        for lie in self._lies(tag, message, data):
            self._transport.reply(tag, lie)

    def _claim_delivery(self, message: m.Deliver) -> None:
        """Tell the sender that the message has been delivered, when it has not even been sent."""
        tag = self._tags.get(message.sender, b"")
        login = self._logins.get(tag)
        if login is not None:
            number = self._rng.randint(1, 1000)
            receipt = m.Receipt(number, message.message_id, self._rng.randbytes(TOKEN_BYTES))
            self._transport.reply(tag, self.sign(m.Delivered(login, 2_000 + number, (receipt,))))

    def _lies(self, tag: bytes, message: Any, data: bytes) -> list[bytes]:
        """What it says instead of `message`."""
        rng, replace = self._rng, msgspec.structs.replace
        if rng.random() < 0.2:
            return rng.choice(([], [flipped(data, rng)], [data, data]))
        match message:
            case m.Deliver():
                others = [told for its, told in self._told.items() if its != tag]
                login, number = message.login_id, message.counter + rng.randint(1, 500)
                lies: list[m.Message] = [
                    replace(message, counter=number),
                    replace(message, sender=rng.choice(sorted(self._node.world.clients))),
                    replace(message, sealed=flipped(message.sealed, rng)),
                    replace(message, key_number=message.key_number + 1),
                    replace(message, message_id=rng.randbytes(ID_BYTES)),
                    *(replace(other, login_id=login, counter=number) for other in others),
                ]
                if rng.random() < 0.5:
                    lies = self._forgeries(message, number) or lies
                return [data, self.sign(rng.choice(lies))] if rng.random() < 0.7 else [self.sign(rng.choice(lies))]
            case m.Accepted(request_id=request_id):
                code = rng.choice(list(Code))
                return [self.sign(m.Refused(request_id, code, rng.choice((0, 5, 2**31))))]
            case m.Delivered(login_id=login, counter=number, receipts=receipts):
                forged = tuple(replace(each, token=rng.randbytes(TOKEN_BYTES)) for each in receipts)
                return [self.sign(m.Delivered(login, number, forged))]
            case m.Alive(request_id=request_id):
                return [self.sign(replace(message, stock=rng.choice((0, 7, 10_000)), boot_id=rng.randbytes(8)))]
            case m.Found(request_id=request_id):
                return [self.sign(m.Refused(request_id, rng.choice((Code.NO_SUCH_USER, Code.BUSY)), 1))]
            case m.Proved():
                return [self.sign(rng.choice(self._false_proofs(message)))]
            case m.Absent(request_id=request_id):
                return [self.sign(m.Refused(request_id, Code.BUSY, 1))]
            case _:
                return [data, flipped(data, rng)]

    def _false_proofs(self, message: m.Proved) -> list[m.Message]:
        """A key of the node's own with the proof of the user's; a proof that was changed; and false absences:
        another label's leaf, and no proof at all."""
        own, proof, replace = self._node.key, message.proof, msgspec.structs.replace
        recovery = SigningKey.from_seed(self._rng.randbytes(SEED_BYTES)).public
        today = self._node.world.sim.unix_s()
        false = first_record(own, recovery, own.public, message.name, self._rng.randbytes(SEED_BYTES), today)
        elsewhere = OtherLeaf(self._rng.randbytes(HASH_BYTES), 1, self._rng.randbytes(HASH_BYTES))
        return [
            replace(message, record=false, origin=None),
            replace(message, proof=replace(proof, size=proof.size + 1)),
            replace(message, proof=replace(proof, vrf_proof=flipped(proof.vrf_proof, self._rng))),
            m.Absent(message.request_id, message.name, elsewhere, None, proof),
            m.Refused(message.request_id, Code.NO_SUCH_USER, 0),
        ]

    def _forgeries(self, message: m.Deliver, number: int) -> list[m.Message]:
        """Texts that no one wrote, instead of `message` to its recipient: under a name that the recipient may know, and
        under one with a key of the node's own."""
        with self._node.without_faults():
            return self._forged_for(message, number)

    def _forged_for(self, message: m.Deliver, number: int) -> list[m.Message]:
        world, store = self._node.world, self._node.store
        waiting = [row for name in world.clients for row in store.mailbox.waiting(name, 16)]
        to = next((row.recipient for row in waiting if row.message_id == message.message_id), None)
        account = None if to is None else store.directory.account(to)
        others = [name for name in sorted(world.clients) if name != to and store.directory.account(name) is not None]
        if to is None or account is None or not others:
            return []
        record, sender, own = decode_record(account.record), self._rng.choice(others), self._node.key
        theirs = store.directory.account(sender)
        assert theirs is not None, "chosen among those that have one"
        forged = [
            forgery(world, self._rng, to, record, sender, theirs.identity_key, own),
            msgspec.structs.replace(
                forgery(world, self._rng, to, record, sender, own.public, own), first_key=own.public
            ),
        ]
        return [msgspec.structs.replace(each, login_id=message.login_id, counter=number) for each in forged]


class Mallory(Outsider):
    """A hostile user who tries everything in turn; and the ear of the mixnet."""

    def __init__(self, world: World, overheard: Callable[[str, str], None]) -> None:
        """`overheard` is called with what the node sends to this client although it is for another user."""
        super().__init__(world, "mallory")
        self._overheard = overheard
        self.carried: deque[bytes] = deque(maxlen=KEPT)
        world.mixnet.listeners.append(self._on_heard)
        self._records: dict[str, KeyRecord] = {}

    # -- hearing --

    def _on_heard(self, heard: Heard) -> None:
        if heard.what == "sent" and heard.who != self.name:
            self.carried.append(heard.data)

    def hear(self, message: m.Message) -> None:
        """It never logs in, so nothing that the node tells is for it."""
        if isinstance(message, get_args(m.Tell)):
            self._overheard(self.name, type(message).__name__)

    def _revealed(self) -> list[bytes]:
        """Addresses that others know."""
        addresses = [self.world.node.card.addresses[0]]
        for client in self.world.clients.values():
            if client.running:
                with client.without_faults():
                    contacts = client.store.contacts.all()
                addresses += [contact.peer_address for contact in contacts if contact.peer_address is not None]
        return addresses

    # -- what it does --

    def inject(self, count: int) -> None:
        """Say again what the mixnet has carried, altered or not, to addresses that are known."""
        for _ in range(count):
            if self.carried:
                data = self.rng.choice(self.carried)
                if self.rng.random() < 0.3:
                    data = flipped(data, self.rng)
                self.throw(self.rng.choice(self._revealed()), data, self.rng.choice((0, 2, 10)))

    def attack(self, count: int) -> None:
        self.register()
        attacks: list[Callable[[str, str], None]] = [
            self._forge_sender, self._wrong_signature, self._broken_payload, self._steal_seal, self._forge_direct,
            self._forge_statements, self._steal_login, self._garbage,
        ]  # fmt: skip
        for _ in range(count):
            victim, other = self.rng.sample(sorted(self.world.clients), 2)
            self.rng.choice(attacks)(victim, other)

    def _record(self, name: str) -> KeyRecord | None:
        if name not in self._records and (record := self.look_up(name)) is not None:
            self._records[name] = record
        return self._records.get(name)

    def _write(self, to: str, sender: str, plaintext: bytes) -> m.Forward | None:
        record = self._record(to)
        return None if record is None else self.forward(to, record, plaintext, sender)

    def _hand_in(self, forward: m.Forward | None) -> None:
        if forward is not None:
            self.tell(forward)

    def _forge_sender(self, victim: str, other: str) -> None:
        self._hand_in(self._write(victim, other, bytes(SEALED_BYTES)))

    def _wrong_signature(self, victim: str, _other: str) -> None:
        forward = self._write(victim, self.name, bytes(SEALED_BYTES))
        if forward is not None:
            self.tell(msgspec.structs.replace(forward, inner_signature=self.rng.randbytes(SIGNATURE_BYTES)))

    def _broken_payload(self, victim: str, _other: str) -> None:
        self._hand_in(self._write(victim, self.name, self.rng.randbytes(SEALED_BYTES)))

    def _steal_seal(self, _victim: str, _other: str) -> None:
        """Someone else's seal under our name: the sealer can't be distinguished from the sender, except by what is
        bound in it."""
        for forward in self._heard_forwards():
            mine = msgspec.structs.replace(
                forward, sender=self.name, request_id=self.new_id(), first_key=self.key.public
            )
            self.tell(mine)
            return

    def _heard_forwards(self) -> Iterator[m.Forward]:
        """What others have handed to the node, the newest first."""
        for data in reversed(self.carried):
            with suppress(RemoteProtocolError):
                message = decode(data).message
                if isinstance(message, m.Forward) and message.sender != self.name:
                    yield message

    def _forge_direct(self, victim: str, other: str) -> None:
        """A text under another's name, sealed as it should be, to every address that is known; signed by us."""
        theirs, others = self._record(victim), self._record(other)
        if theirs is None or others is None:
            return
        forged = forgery(self.world, self.rng, victim, theirs, other, others.identity_key, self.key)
        direct = m.Direct(other, forged.message_id, forged.key_number, forged.sealed, forged.inner_signature)
        for address in self._revealed()[1:]:
            self.throw(address, encode_unsigned(direct))

    def _forge_statements(self, victim: str, other: str) -> None:
        """Acknowledge, and confirm, in another's name: also what was heard to be on its way."""
        login = self.rng.randbytes(ID_BYTES)
        message_id = self.rng.randbytes(ID_BYTES)
        for forward in self._heard_forwards():
            victim, other, message_id = forward.recipient, forward.sender, forward.message_id
            break
        items = (m.Acknowledged(other, message_id, None),)
        for said in (
            m.Acknowledge(0, victim, login, items, (1, 2, 3)),
            m.Heartbeat(self.new_id(), 2, victim, login, (1, 2, 3)),
        ):
            self.tell(said, 2)

    def _steal_login(self, victim: str, _other: str) -> None:
        challenge = self.ask(m.LoginAsk(self.new_id(), 2, victim))
        if isinstance(challenge, m.Challenge):
            proof = m.LoginProof(self.new_id(), 2, victim, challenge.nonce, challenge.expires_at, challenge.mac, 1, 96)
            self.tell(proof, 2)

    def _garbage(self, _victim: str, _other: str) -> None:
        self.throw(self.rng.choice(self._revealed()), self.rng.randbytes(self.rng.randint(0, 3000)), 2)
