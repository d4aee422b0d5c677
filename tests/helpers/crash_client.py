"""A program that embeds a client, for tests that kill it: it writes numbered texts, and shows what comes.

Run as `crash_client.py HOME NAME MIXNET CARD PEERS`. It prints a JSON object a line: `sent` when a text is on disk,
`shown` when one is shown; it marks it as read after that, as `usernym listen` does. While HOME.quiet exists it writes
nothing, and prints how many of its texts are not delivered yet. SIGTERM ends it in order.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import threading
import time
from pathlib import Path

import usernym

PATIENCE_S = 20.0
PAUSE_S = 0.1
ALL = 1_000_000


def tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def text_of(name: str, peer: str, number: int) -> str:
    return f"{name} to {peer}: {number}"


def be_online(me: usernym.Client, stopping: threading.Event) -> bool:
    """Register if need be, and log in. False if that did not work yet."""
    try:
        if not me.whoami().registered:
            me.register(PATIENCE_S)
        me.go_online(PATIENCE_S)
    except (usernym.NodeSilent, usernym.NotReady):
        stopping.wait(PAUSE_S)
        return False
    return True


def show(me: usernym.Client, stopping: threading.Event) -> None:
    while not stopping.wait(PAUSE_S):
        show_unread(me)
    show_unread(me)  # what came since the last look


def show_unread(me: usernym.Client) -> None:
    for sender, view in me.unread():
        tell(shown=view.text, sender=sender)
        me.mark_read([view])


def written(me: usernym.Client, peer: str) -> int:
    return sum(view.outgoing for view in me.conversation(peer, ALL))


def undelivered(me: usernym.Client, peers: list[str]) -> int:
    views = [view for peer in peers for view in me.conversation(peer, ALL) if view.outgoing]
    return sum(view.state is not usernym.DeliveryState.DELIVERED for view in views)


def write(me: usernym.Client, peers: list[str], quiet: Path, stopping: threading.Event) -> None:
    numbers = {peer: itertools.count(written(me, peer)) for peer in peers}
    due = {peer: next(numbers[peer]) for peer in peers}
    for peer in itertools.cycle(peers):
        if stopping.wait(PAUSE_S):
            return
        while quiet.exists() and not stopping.wait(0.5):
            tell(undelivered=undelivered(me, peers), at=time.time())
        if stopping.is_set():
            return
        text = text_of(me.name, peer, due[peer])
        try:
            me.send(peer, text, wait="queued", timeout=PATIENCE_S)
        except (usernym.NodeSilent, usernym.NotReady, usernym.NodeRefused):
            continue  # the peer is not known yet, and could not be looked up
        tell(sent=text)
        due[peer] = next(numbers[peer])


def main(home: str, name: str, mixnet: str, card: str, peers: list[str]) -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with usernym.Client.open(home, name=name, node=card, mixnet=mixnet, unprotected=True) as me:
        tell(opened=name)
        while not stopping.is_set() and not be_online(me, stopping):
            pass
        tell(online=name)
        showing = threading.Thread(target=show, args=(me, stopping), daemon=True)
        showing.start()
        write(me, peers, Path(f"{home}.quiet"), stopping)
        showing.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5].split(","))
