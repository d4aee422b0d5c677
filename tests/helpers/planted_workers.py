"""Defects of a node of several processes: each takes one rule of theirs away. The simulation must find it, with the
plans of the profile *workers*.

Each is planted into the product as `planted_defects` does.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any, Final

from tests.helpers.planted_defects import PlantedDefect, defect, swap
from usernym.actors.forwarding.intake import Intake
from usernym.actors.forwarding.node import ForwardingNode
from usernym.actors.messages import HintsDue
from usernym.actors.mixnet_io.node_addresses import NodeAddresses
from usernym.actors.registration import members, node_card
from usernym.actors.registration import node as registration_node
from usernym.protocol.errors import Code
from usernym.storage.errors import RouteLost, StoreUnreachable
from usernym.storage.node.mailbox import Enqueued, Mailbox
from usernym.storage.node.workers import Workers, WorkerState

WORKER_DEFECTS: Final[list[PlantedDefect]] = []
workers_defect = partial(defect, among=WORKER_DEFECTS)


@workers_defect("a worker writes because of a route that another one has taken")
def no_fence(stack: ExitStack) -> None:
    swap(stack, Workers, "hold", lambda _self, _name, _fence: None)


@workers_defect("a hint is looked for when its notification comes, and at no other time")
def no_poll(stack: ExitStack) -> None:
    def receive(self: Any, message: Any) -> None:
        if not isinstance(message, HintsDue) or not message.polled:
            old(self, message)

    old = swap(stack, ForwardingNode, "receive", receive)


@workers_defect("the worker that takes a message in hints at it to no other")
def no_hint(stack: ExitStack) -> None:
    swap(stack, Workers, "hint", lambda _self, _names: None)


@workers_defect("the number of a message is one more than the worker remembers, and not the row's")
def counters_read_then_written(stack: ExitStack) -> None:
    def enqueue(self: Any, **row: Any) -> Enqueued:
        known = self.__dict__.setdefault("known", {})
        if row["recipient"] in known:
            last = known[row["recipient"]]
            self._db.run("UPDATE mailbox SET last = ? WHERE name = ?", (last, row["recipient"]))
        outcome: Enqueued = old(self, **row)
        for (last,) in self._db.rows("SELECT last FROM mailbox WHERE name = ?", (row["recipient"],)):
            known[row["recipient"]] = last
        return outcome

    old = swap(stack, Mailbox, "enqueue", enqueue)


@workers_defect("a message's number is from a sequence of which each worker has a part, and a mailbox is read in order")
def order_by_sequence(stack: ExitStack) -> None:
    def enqueue(self: Any, **row: Any) -> Enqueued:
        part = self.__dict__.setdefault("part", [])
        if not part:
            self._db.run(
                "INSERT INTO mailbox (name, last, messages, size) VALUES ('-', 0, 1, 1) ON CONFLICT DO NOTHING"
            )
            ((first,),) = self._db.rows("UPDATE mailbox SET last = last + 32 WHERE name = '-' RETURNING last")
            part += range(first, first + 32)
        sql = "INSERT INTO mailbox (name, last, messages, size) VALUES (?, 0, 1, 1) ON CONFLICT DO NOTHING"
        self._db.run(sql, (row["recipient"],))
        self._db.run("UPDATE mailbox SET last = ? WHERE name = ?", (part.pop(0), row["recipient"]))
        outcome: Enqueued = enqueued(self, **row)
        return outcome

    def deliver(self: Any, name: str, route: Any, *, again: bool) -> None:
        read, next_for = route.notices_at.get("read", 0), self._store.mailbox.next_for

        def after(name: str, places: int, turn: Any) -> Any:
            rows = [row for row in next_for(name, places, turn) if row.attempts or row.number >= read]
            route.notices_at["read"] = max([read, *(row.number for row in rows)])
            return rows

        self._store.mailbox.next_for = after
        try:
            delivered(self, name, route, again=again)
        finally:
            del self._store.mailbox.next_for

    enqueued = swap(stack, Mailbox, "enqueue", enqueue)
    delivered = swap(stack, ForwardingNode, "_deliver", deliver)


@workers_defect("a worker shows that it lives less often than the others wait for it")
def beats_late(stack: ExitStack) -> None:
    swap(stack, registration_node, "BEAT_S", 2.5 * members.DEAD_S)


@workers_defect("a worker that is new does not come into a card that users have")
def card_forgets_a_worker(stack: ExitStack) -> None:
    swap(stack, node_card, "ADDED_AGAIN_S", float("inf"))


@workers_defect("a worker that is dead stays in the card")
def card_keeps_the_dead(stack: ExitStack) -> None:
    swap(stack, members, "DEAD_S", float("inf"))


@workers_defect("a worker that was taken for dead continues under its former number")
def zombie_continues(stack: ExitStack) -> None:
    def beat(self: Any) -> Any:
        try:
            return old(self)
        except RouteLost:
            return [WorkerState(*row) for row in self._db.rows("SELECT number, beats, address, draining FROM worker")]

    old = swap(stack, Workers, "beat", beat)


@workers_defect("a message whose commit was lost with the connection is answered `accepted`")
def lost_commit_accepted(stack: ExitStack) -> None:
    def take(self: Any, batch: Any) -> Any:
        try:
            return old(self, batch)
        except StoreUnreachable:
            return [(each, Enqueued.STORED) for each in batch]

    old = swap(stack, Intake, "take", take)


@workers_defect("a message that is there already, as after a commit that was run again, is refused")
def repeated_commit_refused(stack: ExitStack) -> None:
    def take(self: Any, *arguments: Any) -> Any:
        outcome = old(self, *arguments)
        return Code.MALFORMED if outcome is Enqueued.DUPLICATE else outcome

    old = swap(stack, Intake, "_take", take)


@workers_defect("hints are for the worker that took the message in, and not for the one that holds the route")
def hint_to_itself(stack: ExitStack) -> None:
    def hint(self: Any, names: Any) -> None:
        for name in sorted(set(names)):
            self._hint_worker(self.number, name)

    swap(stack, Workers, "hint", hint)


@workers_defect("a client stays with the first address of its node's card")
def one_address(stack: ExitStack) -> None:
    swap(stack, NodeAddresses, "address", property(lambda self: self.order[0]))
