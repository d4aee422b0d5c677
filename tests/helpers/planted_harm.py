"""Defects that let someone do harm: each brings one kind back. The simulation must find it, with hostile parties in it.

Each is planted into the product as `planted_defects` does, and found with the profile that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from tests.helpers.planted_defects import PlantedDefect, swap
from usernym.actors import seals
from usernym.actors.events import NodeCaught
from usernym.actors.forwarding import arrival, direct_receipts, files, inbox, outbox, shares
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.forwarding.shares import Shares
from usernym.actors.handshake import client as handshake_client
from usernym.actors.mixnet_io.surb_account import SurbAccount
from usernym.protocol import codec
from usernym.protocol.errors import Code
from usernym.protocol.limits import FRAME_BYTES_MAX
from usernym.storage.client.contacts import Contacts
from usernym.storage.client.profile import Profile
from usernym.storage.node.mailbox import Mailbox

HARMS: Final[list[tuple[str, PlantedDefect]]] = []
"""(profile, defect)"""


def harm(profile: str, says: str) -> Callable[[Callable[[ExitStack], None]], Callable[[ExitStack], None]]:
    """Put a defect on the list, under its function's name."""

    def add(plant: Callable[[ExitStack], None]) -> Callable[[ExitStack], None]:
        HARMS.append((profile, PlantedDefect(plant.__name__, says, plant)))
        return plant

    return add


@harm("people", "what a client never acknowledges comes before all that came later")
def oldest_first(stack: ExitStack) -> None:
    def decide(facts: Any) -> Any:
        outcome = decided(facts)
        misplaced = outcome is arrival.ArrivalOutcome.RECEIPTS_MISPLACED
        return arrival.ArrivalOutcome.AWAITS_DECISION if misplaced else outcome

    decided = swap(stack, inbox, "decide", decide)
    swap(stack, Mailbox, "next_for", lambda self, recipient, limit, _turn: self.waiting(recipient, limit))


@harm("people", "a sender's share is what waits for the recipient now")
def shares_by_load(stack: ExitStack) -> None:
    def take(self: Any, sender: str, recipient: str, _size: int, _now: float) -> Code | None:
        load = {name: count for name, count, _ in self._mailbox.waiting_by_sender(recipient)}
        return Code.SENDER_SHARE_FULL if load.get(sender, 0) >= 20 else None

    swap(stack, Shares, "take", take)


@harm("people", "a receipt without its proof is called the node's lie")
def wrong_token_accuses(stack: ExitStack) -> None:
    def on_receipts(self: Any, receipts: tuple[tuple[bytes, bytes], ...], contact: str | None) -> None:
        for message_id, token in receipts:
            message = self._store.messages.outgoing(message_id, contact)
            if message is not None and message.token != token:
                self._context.on_event(NodeCaught(Lie()))  # type: ignore[arg-type]
        old(self, receipts, contact)

    class Lie:
        what = "a receipt without its proof"

    old = swap(stack, Outbox, "on_receipts", on_receipts)


@harm("people", "what came of a file is not compared with what was offered")
def digest_unchecked(stack: ExitStack) -> None:
    swap(stack, files, "is_whole", lambda _content, _size, _digest: True)


@harm("people", "the node takes a seal of any size")
def seals_of_any_size(stack: ExitStack) -> None:
    swap(stack, codec, "SEALED_SIZES", range(FRAME_BYTES_MAX))


@harm("people", "all senders' shares of a mailbox are one")
def shares_of_all_senders(stack: ExitStack) -> None:
    def buckets(self: Any, sender: str, now: float, limits: Any) -> Any:
        return old(self, sender if sender in self.known else "anyone", now, limits)

    def take(self: Any, sender: str, recipient: str, size: int, now: float) -> Code | None:
        refused: Code | None = taken(self, sender, recipient, size, now)
        table = self._table(recipient, now)
        table.newcomers["anyone"] = table.newcomers.pop(sender, table.newcomers.get("anyone"))
        return refused

    old = swap(stack, shares._Table, "buckets", buckets)
    taken = swap(stack, Shares, "take", take)


@harm("thieves", "a decision about an identity holds for the one that is there when it comes")
def decisions_unbound(stack: ExitStack) -> None:
    swap(stack, Contacts, "look_at", lambda self, name, _identity_key, trust: self.set_trust(name, trust))


@harm("thieves", "found by the simulation: what was sealed to a thief's identity is nothing for the owner")
def thiefs_identity_unknown(stack: ExitStack) -> None:
    swap(stack, Profile, "former_identities", lambda _self: [])


@harm("node", "what a request must carry is not on the account")
def requests_off_the_account(stack: ExitStack) -> None:
    swap(stack, SurbAccount, "for_request", lambda _self, wanted, _packets=1: wanted)
    swap(stack, SurbAccount, "has_room_for", lambda _self, _count: True)


@harm("thieves", "what was agreed with an identity stays when another one is pinned")
def agreements_stay(stack: ExitStack) -> None:
    swap(stack, Contacts, "end_agreements", lambda _self, _name=None: None)


@harm("thieves", "something may be sealed to an identity that the user has not looked at")
def seals_unseen(stack: ExitStack) -> None:
    for module in (seals, direct_receipts, outbox, handshake_client):
        swap(stack, module, "may_seal", lambda _contact: True)
