"""Someone who has a user's machine, and with it the identity key: takes the name over, and offers a direct route."""

from __future__ import annotations

from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.limits import TOKEN_BYTES
from usernym.protocol.records import Authority, KeyRecord, authorise, day_of, record_hash, sign_record
from usernym.protocol.sealing import MessageKey
from usernym.protocol.signing import SigningKey
from usernym.testing.outsider import Outsider
from usernym.testing.world import SimClient, World


class Thief(Outsider):
    """Has what is in a user's store. The recovery words are not there."""

    def __init__(self, world: World, victim: SimClient) -> None:
        """`victim` still has the machine."""
        super().__init__(world, f"who has {victim.name}'s machine")
        self._victim = victim.name
        self._stolen = victim.user.key
        with victim.without_faults():
            self._contacts = {contact.name: contact for contact in victim.store.contacts.all()}
        self.key = SigningKey.from_seed(self.rng.randbytes(32))

    def succession(self) -> m.Publish | None:
        """The identity that was stolen names another one of ours as its successor. None if it is not the node's now."""
        node = self.world.node
        shown = node.show(self._victim) if node.running else None
        if shown is None or shown.record.identity_key != self._stolen.public:
            return None
        before, link = shown.record, shown.chain[-1].stub
        seed = self.rng.randbytes(32)
        unsigned = KeyRecord(
            before.number + 1, before.recoveries, self.key.public, before.recovery_key,
            MessageKey.from_seed(seed).public, before.hpke_number + 1, day_of(self.world.sim.unix_s()),
            record_hash(node.card.node, self._victim, link), b"",
        )  # fmt: skip
        record = sign_record(self.key, node.card.node, self._victim, unsigned)
        succession = authorise(self._stolen, node.card.node, self._victim, record.stub(), Authority.IDENTITY)
        return m.Publish(self.new_id(), 3, self._victim, record, succession)

    def offer(self, to: str) -> None:
        """Offer `to` a handshake, as the victim, with an address of ours."""
        record, known = self.look_up(to), self._contacts.get(to)
        if record is None:
            return
        counter, seen = (1, 0) if known is None else (known.next_out_counter, known.highest_in_counter)
        now, token = self.world.sim.unix_s(), self.rng.randbytes(TOKEN_BYTES)
        offer = p.HandshakeOffer(counter, now, token, None, self.transport.address, seen)
        self.tell(self.forward(to, record, p.pad_payload(offer, first_contact=True), self._victim))
