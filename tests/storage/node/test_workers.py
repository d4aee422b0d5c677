"""The rows by which a node's workers share it: on PostgreSQL, and on the simulation's server."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.helpers.postgres import ON_POSTGRES
from tests.storage.node import test_epochs
from tests.storage.node.test_epochs import NOW, SIGNER
from usernym.actors.simulation import Simulation
from usernym.storage.errors import RouteLost, StoreBusy
from usernym.storage.node.directory import Registration
from usernym.storage.node.store import NodeStore
from usernym.storage.node.workers import NO_WORKER, Report, SoleWorker, Workers
from usernym.testing.database import DatabaseServer, ServerLink, WorkerDatabase
from usernym.testing.process import KeptMark

ONE, TWO = b"1" * 96, b"2" * 96


def register(store: NodeStore, *names: str) -> None:
    for name in names:
        outcome = store.directory.register(
            name=name, skeleton=name, skeleton_version=1, identity_key=name.encode().ljust(32), record=b"r",
            record_number=1, hpke_number=1, link=b"l", now=1,
        )  # fmt: skip
        assert outcome is Registration.CREATED


@pytest.fixture(params=["simulated", ON_POSTGRES])
def two(request: pytest.FixtureRequest) -> Iterator[tuple[NodeStore, NodeStore]]:
    """Two workers that have not joined yet, of a node with the users ann and bob."""
    with ExitStack() as undo:
        stores = []
        if request.param == "simulated":
            sim = Simulation(1)
            server = DatabaseServer(sim)
            undo.callback(server.close)
            for number in range(2):
                link = ServerLink(server, random.Random(number), bury=lambda: None, stall=lambda _: None)
                database = WorkerDatabase(link)
                stores.append(NodeStore(database, Workers(database)))
        else:
            url = request.getfixturevalue("postgres").new_database()
            stores = [NodeStore.connect(url) for _ in range(2)]
            for store in stores:
                undo.callback(store.close)
        register(stores[0], "ann", "bob")
        yield stores[0], stores[1]


@pytest.fixture
def joined(two: tuple[NodeStore, NodeStore]) -> tuple[NodeStore, NodeStore]:
    two[0].workers.join(ONE)
    two[1].workers.join(TWO)
    return two


Two = tuple[NodeStore, NodeStore]


def take(store: NodeStore, name: str) -> int:
    fence = store.workers.take(name, store.workers.fence(name))
    assert fence is not None
    return fence


def hold(store: NodeStore, name: str, fence: int) -> None:
    store.commit(lambda: store.workers.hold(name, fence))


def hint(store: NodeStore, *names: str) -> None:
    store.commit(lambda: store.workers.hint(names))


def hinted(store: NodeStore, limit: int = 9) -> list[tuple[str, int]]:
    return [(held.name, held.worker) for held in store.workers.hinted(limit)]


# -- membership -------------------------------------------------------------------------------------------------------


def test_workers_see_each_other(joined: Two) -> None:
    one, two = joined
    assert [(beat.address, beat.draining) for beat in one.workers.beat()] == [(ONE, False), (TWO, False)]
    two.workers.drain()
    assert [beat.draining for beat in one.workers.beat()] == [False, True]
    two.workers.leave()
    assert [beat.address for beat in one.workers.beat()] == [ONE]


def test_beats_show_who_lives(joined: Two) -> None:
    one, two = joined
    before = {beat.worker: beat.beats for beat in one.workers.beat()}
    two.workers.beat()
    after = {beat.worker: beat.beats for beat in one.workers.beat()}
    assert all(after[worker] == before[worker] + 1 for worker in before)


def test_a_number_never_comes_back(joined: Two) -> None:
    one, two = joined
    numbers = {one.workers.number, two.workers.number}
    two.workers.join(TWO)
    assert two.workers.number not in numbers
    assert len(one.workers.beat()) == 2, "the row of its former life is gone"


def test_one_address_has_one_row(joined: Two) -> None:
    one, two = joined
    two.workers.join(ONE)
    with pytest.raises(RouteLost):
        one.workers.beat()


def test_only_a_worker_that_stands_still_is_removed(joined: Two) -> None:
    one, two = joined
    seen = next(beat for beat in one.workers.beat() if beat.worker == two.workers.number)
    two.workers.beat()
    one.workers.remove(seen)
    two.workers.beat()
    one.workers.remove(next(beat for beat in one.workers.beat() if beat.worker == two.workers.number))
    with pytest.raises(RouteLost):
        two.workers.beat()


# -- routes -----------------------------------------------------------------------------------------------------------


def test_no_route_before_joining(two: Two) -> None:
    with pytest.raises(StoreBusy):
        two[0].workers.take("ann", 0)


def test_no_route_is_taken_under_a_number_that_is_being_given_up(joined: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = joined
    with monkeypatch.context() as failing:
        failing.setattr(one.database, "commit", lambda _work: (_ for _ in ()).throw(StoreBusy("away")))
        with pytest.raises(StoreBusy):
            one.workers.join(b"3" * 96)
    with pytest.raises(StoreBusy):
        one.workers.take("ann", 0)
    one.workers.join(b"3" * 96)
    assert [state.address for state in two.workers.beat()] == [TWO, b"3" * 96], "the former row is gone"


def test_a_worker_taken_for_dead_takes_no_route(joined: Two) -> None:
    one, two = joined
    one.workers.remove(next(beat for beat in one.workers.beat() if beat.worker == two.workers.number))
    with pytest.raises(RouteLost):
        two.workers.take("ann", 0)
    assert one.workers.fence("ann") == 0


def test_the_fence_rises_with_each_login(joined: Two) -> None:
    one, two = joined
    fences = [take(one, "ann"), take(two, "ann"), take(two, "ann"), take(one, "ann")]
    assert fences == sorted(set(fences))


def test_only_the_latest_login_holds_the_route(joined: Two) -> None:
    one, two = joined
    first = take(one, "ann")
    hold(one, "ann", first)
    second = take(two, "ann")
    for store, fence in ((one, first), (one, second), (two, first), (two, second + 1)):
        with pytest.raises(RouteLost):
            hold(store, "ann", fence)
    hold(two, "ann", second)
    with pytest.raises(RouteLost):
        hold(one, "bob", 1)


def test_a_login_that_was_asked_for_before_another_workers_takes_nothing(joined: Two) -> None:
    one, two = joined
    asked = one.workers.fence("ann")
    fence = take(two, "ann")
    assert one.workers.take("ann", asked) is None
    hold(two, "ann", fence)
    # The same worker orders its own logins by itself.
    assert two.workers.take("ann", asked) == fence + 1


def test_what_was_written_under_a_lost_fence_is_not_there(joined: Two) -> None:
    one, two = joined
    fence = take(one, "ann")
    take(two, "ann")

    def work() -> None:
        one.notices.add("ann", 1, b"x", 1, 9)
        one.workers.hold("ann", fence)

    with pytest.raises(RouteLost):
        one.commit(work)
    assert not two.notices.of("ann", 9)


def test_a_replaced_identity_ends_the_route(joined: Two) -> None:
    one, two = joined
    fence = take(one, "ann")
    asked = two.workers.fence("ann")
    two.commit(lambda: two.workers.close_route("ann"))
    with pytest.raises(RouteLost):
        hold(one, "ann", fence)
    assert hinted(one) == [("ann", NO_WORKER)]
    assert two.workers.take("ann", asked) is None, "a login that was asked for before"


def test_a_routes_row_goes_with_its_name(joined: Two) -> None:
    one, _ = joined
    take(one, "ann")
    one.directory.delete_account("ann", 5)
    one.directory.release_names(6, 9)
    assert not one.workers.held(["ann"])


# -- hints ------------------------------------------------------------------------------------------------------------


def test_the_worker_with_the_route_gets_the_hint(joined: Two) -> None:
    one, two = joined
    take(one, "ann")
    take(two, "bob")
    hint(two, "ann", "bob", "no one", "ann")
    hint(two, "ann")
    assert hinted(two) == []
    assert hinted(one) == [("ann", one.workers.number)]
    assert hinted(one) == []


def test_a_former_holder_gets_a_hint(joined: Two) -> None:
    one, two = joined
    take(one, "ann")
    take(two, "ann")
    assert hinted(one) == [("ann", two.workers.number)]


def test_no_hints_for_the_dead(joined: Two) -> None:
    one, two = joined
    take(two, "ann")
    hint(one, "ann")
    two.workers.leave()
    hint(one, "ann")
    take(one, "ann")
    assert one.database.rows("SELECT * FROM hint") == []


def test_nothing_stays_for_a_worker_that_is_gone(joined: Two) -> None:
    one, two = joined
    take(two, "ann")
    hint(one, "ann")
    one.commit(lambda: one.workers.report([Report("ann", "bob", 1, 9, receipt=True)]))
    # A commit that saw the worker's row before it was removed adds these afterwards.
    gone = two.workers.number + 1
    one.database.run("INSERT INTO hint (worker, name) VALUES (?, 'bob')", (gone,))
    one.database.run(
        "INSERT INTO report (worker, sender, recipient, messages, size, receipt) VALUES (?, 'ann', 'bob', 1, 9, 1)",
        (gone,),
    )
    one.workers.beat()
    assert one.database.rows("SELECT worker FROM hint UNION ALL SELECT worker FROM report") == [
        (two.workers.number,),
        (two.workers.number,),
    ]


def test_all_other_workers_get_a_report(joined: Two) -> None:
    one, two = joined
    report = Report("ann", "bob", 2, 300, receipt=True)
    one.commit(lambda: one.workers.report([report, report]))
    assert one.workers.reported(9) == []
    assert two.workers.reported(1) == [report]
    assert two.workers.reported(9) == [report]
    one.commit(lambda: one.workers.report([report]))
    two.workers.leave()
    assert one.database.rows("SELECT * FROM report") == []


def test_hints_are_taken_in_parts(joined: Two) -> None:
    one, two = joined
    take(one, "ann")
    take(one, "bob")
    hint(two, "ann", "bob")
    assert hinted(one, 1) == [("ann", one.workers.number)]
    assert hinted(one, 1) == [("bob", one.workers.number)]


def test_a_sole_worker_holds_all_routes() -> None:
    worker = SoleWorker()
    worker.join(ONE)
    assert [beat.address for beat in worker.beat()] == [ONE]
    assert worker.take("ann", 0) == 0
    worker.hold("ann", 0)
    assert not worker.hinted(9)


# -- at once, on PostgreSQL -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("two", [ON_POSTGRES], indirect=True)
def test_a_hint_wakes_its_worker(joined: Two) -> None:
    one, two = joined
    woken = threading.Event()
    one.workers.listen(woken.set)
    take(one, "ann")
    while not woken.wait(0.1):  # the thread that listens may not be connected yet
        hint(two, "ann")
    woken.clear()
    one.workers.join(ONE)
    take(one, "ann")
    while not woken.wait(0.1):
        hint(two, "ann")


@pytest.mark.parametrize("two", [ON_POSTGRES], indirect=True)
def test_a_login_waits_for_what_is_committed_for_its_user(joined: Two) -> None:
    """Who takes a route sees all that was accepted for it before: nothing falls between the two workers."""
    one, two = joined
    take(one, "ann")
    order: list[str] = []

    def log_in() -> None:
        take(two, "ann")
        order.append("login")

    thread = threading.Thread(target=log_in)

    def work() -> None:
        one.workers.hold("ann", 1)
        thread.start()
        thread.join(0.3)
        order.append("commit")

    one.commit(work)
    thread.join(10)
    assert order == ["commit", "login"]


@pytest.mark.parametrize("two", [ON_POSTGRES], indirect=True)
def test_one_of_two_logins_at_once_takes_the_route(joined: Two) -> None:
    for _ in range(20):
        asked = joined[0].workers.fence("ann")
        taken: list[int | None] = []

        def log_in(store: NodeStore, asked: int = asked, taken: list[int | None] = taken) -> None:
            taken.append(store.workers.take("ann", asked))

        threads = [threading.Thread(target=log_in, args=(store,)) for store in joined]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(taken) == 2
        assert sum(fence is not None for fence in taken) == 1


# -- the directory's log ----------------------------------------------------------------------------------------------


def test_the_worker_that_joined_first_leads_until_it_has_gone(two: Two) -> None:
    def leads() -> list[bool]:
        return [store.workers.leads() for store in two]

    assert leads() == [False, False]
    for store, address in zip(two, (ONE, TWO), strict=True):
        store.workers.join(address)
        assert leads() == [True, False]
    two[0].workers.drain()
    assert leads() == [True, False], "it is still there"
    two[0].workers.leave()
    assert leads() == [False, True]
    two[0].workers.join(ONE)
    assert leads() == [False, True]
    two[0].workers.remove(two[0].workers.beat()[0])
    assert leads() == [True, False]


def test_one_worker_makes_epochs_and_the_next_one_continues_the_log(joined: Two) -> None:
    marks = KeptMark(), KeptMark()

    def make(which: int) -> int:
        joined[which].log.make_epoch(SIGNER, marks[which], joined[which].workers, NOW)
        return joined[which].log.size()

    test_epochs.register(joined[0], "alice")
    assert [make(1), make(0), make(1)] == [0, 1, 1]
    assert marks[1].read() == marks[0].read()
    test_epochs.register(joined[0], "carol")
    joined[0].workers.leave()
    assert [make(0), make(1), make(0)] == [1, 2, 2]
    assert len(test_epochs.check(joined[0])) == 2
    assert [len(mark.given_out) for mark in marks] == [2, 2]
