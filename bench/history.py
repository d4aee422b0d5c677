"""A long history beside a short one, in a client's own store: opening, paging, searching."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import usernym
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.mixnet.transport import Transport
from usernym.protocol.cards import card_text, make_card
from usernym.protocol.signing import SigningKey
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, IdentityState, Route, Trust
from usernym.timers import ThreadTimers
from usernym.views import MessageView

SHORT, LONG = 1_000, 100_000
TRIES = 20
"""Of each operation; the fastest counts, since others use this machine too."""
PASSPHRASE = "of a benchmark"
WORDS = 5_000
NOWHERE = "zzqqzzqq"
"""What no text contains."""


@dataclass(frozen=True)
class Figure:
    """An operation's fastest time in seconds, with a short history and a long one."""

    operation: str
    short_s: float
    long_s: float


def fill(store: ClientStore, texts: int, contacts: int = 0) -> str:
    """Texts of 2 to 200 letters, of both sides by turns; returns a word of the newest. And contacts with one text."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxy", k=chance.randint(2, 9))) for _ in range(WORDS)]
    text = ""
    with store.transaction():
        for number in range(contacts):
            name = f"person_{number}"
            store.contacts.add(name, chance.randbytes(32), bytes(1_300), Trust.CONFIRMED, Consent.ACCEPTED)
            store.messages.add_incoming(
                contact=name, message_id=chance.randbytes(16), key_number=1, counter=1, kind=1, body=b"hello",
                token=bytes(16), sent_at=number, now=number, route=Route.NODE,
            )  # fmt: skip
        store.contacts.add("bob", bytes(32), bytes(1_300), Trust.CONFIRMED, Consent.ACCEPTED)
        for number in range(texts):
            text = " ".join(chance.choices(words, k=chance.randint(1, 30)))
            message_id = chance.randbytes(16)
            if number % 2:
                store.messages.add_outgoing("bob", message_id, 1, text.encode(), bytes(16), number)
                store.messages.remove_outgoing(message_id)
                continue
            # One of a hundred never came, and one of a thousand arrived late.
            counter = number // 2 + 1 + number // 200 - (2 if number % 2_000 == 1_000 else 0)
            store.messages.add_incoming(
                contact="bob", message_id=message_id, key_number=1, counter=counter, kind=1, body=text.encode(),
                token=bytes(16), sent_at=number, now=number, route=Route.NODE,
            )  # fmt: skip
    return text.split()[-1]


def fastest(action: Callable[[], Any]) -> float:
    """Its shortest time of several, in seconds."""
    times = []
    for _ in range(TRIES):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def make_home(home: Path, texts: int, mixnet: str | Transport, contacts: int = 0) -> str:
    """A home with a passphrase and such a history, as though it were registered; returns a word of the newest text."""
    card = card_text(make_card(SigningKey.from_seed(bytes(32)), [bytes(96)], 1, 20_000))
    usernym.Client.open(home, name="alice", node=card, mixnet=mixnet, passphrase=PASSPHRASE).close()
    store = ClientStore.open(home, PASSPHRASE)
    store.profile.set_identity_state(IdentityState.REGISTERED)
    near = fill(store, texts, contacts)
    store.close()
    return near


def times(texts: int) -> dict[str, float]:
    """Seconds by operation, through the handle, on a store with a passphrase."""
    timers = ThreadTimers()
    mixnet = InProcessMixnet(Emulator(random.Random(1)), timers)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        near = make_home(home, texts, mixnet.transport())
        with usernym.Client.open(home, mixnet=mixnet.transport(), passphrase=PASSPHRASE) as alice:
            middle: MessageView = alice.conversation("bob", texts // 2)[0]
            assert not alice.search(NOWHERE)
            found = {
                "the newest page (100 texts)": fastest(lambda: alice.conversation("bob")),
                "a page back from the middle": fastest(lambda: alice.conversation("bob", before=middle)),
                "search, found among the newest": fastest(lambda: alice.search(near, limit=1)),
                "search, found nowhere": fastest(lambda: alice.search(NOWHERE)),
                "search with one contact, found nowhere": fastest(lambda: alice.search(NOWHERE, name="bob")),
            }
    timers.close()
    return found


def history_table() -> list[Figure]:
    """Each operation with a short and a long history."""
    short, long = times(SHORT), times(LONG)
    return [Figure(operation, short[operation], long[operation]) for operation in short]
