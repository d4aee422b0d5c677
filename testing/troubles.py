"""What goes wrong in a world, step by step; and a supervisor, which starts again what has ended.

with lying_world(seed=7) as world:            # or World(7, disks=True)
    troubles = Troubles(world)
    troubles.apply(Crash("bob", commits=2, moment=Moment.AFTER, down_s=5))
    ...
    troubles.heal()
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from usernym.actors.forwarding.outbox import AWAITED_S
from usernym.actors.messages import Drain
from usernym.actors.sound_clock import CLOCK_SETTLES_S
from usernym.mixnet.emulator.state import Faults, LinkDelay
from usernym.storage.errors import StorageError
from usernym.testing import faults as f
from usernym.testing.attacker import ATTACKERS, Attacker
from usernym.testing.database import DatabaseServer
from usernym.testing.habits import Habit, HabitTransport
from usernym.testing.hostile import LyingTransport, Mallory
from usernym.testing.process import NodeProcess, Process
from usernym.testing.world import SimClient, SimNode, World

DAY_S: Final = 86_400.0
DRAIN_S: Final = 60.0
"""How long a worker that is drained waits for its users to go: the command's default."""
DRAIN_LOOK_S: Final = 0.1
AGAIN_S: Final = 5.0
"""After so long the supervisor starts a process again that ended by itself."""


class Liars:
    """Puts hostile transports before a world's node: `World(..., node_transport=Liars(seed))`. The node lies, and has
    habits, when asked to."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._transports: list[LyingTransport] = []
        self._habitual: HabitTransport | None = None
        self._habits: set[Habit] = set()
        self.one_in = 0

    def __call__(self, transport: Any, node: NodeProcess) -> HabitTransport:
        rng = random.Random(f"lies {self._seed} {len(self._transports)}")  # noqa: S311 - repeatable on purpose
        liar = LyingTransport(transport, node, rng)
        liar.one_in = self.one_in
        self._transports.append(liar)
        self._habitual = HabitTransport(liar, node, rng)
        for habit in sorted(self._habits):
            self._habitual.begin(habit)
        return self._habitual

    def begin(self, habit: Habit) -> None:
        """Let the node do this from now on, through restarts."""
        self._habits.add(habit)
        if self._habitual is not None:
            self._habitual.begin(habit)

    def end(self, habit: Habit) -> None:
        """Let it do this no longer."""
        self._habits.discard(habit)
        if self._habitual is not None:
            self._habitual.end(habit)

    def behave(self) -> None:
        """Let the node be honest from now on."""
        self.lie(0)
        for habit in list(self._habits):
            self.end(habit)

    def lie(self, one_in: int) -> None:
        """Let one message in so many be a lie from now on; 0: none."""
        self.one_in = one_in
        for liar in self._transports:
            liar.one_in = one_in


class Troubles:
    """Applies steps to a world whose stores lie on simulated disks (`World(..., disks=True)`).

    `on_death` is notified of each process that has died, before it is started again; `on_failed` of an actor that could
    not continue without its disk being to blame; `overheard` see `Mallory`.
    """

    def __init__(
        self,
        world: World,
        *,
        liars: Liars | None = None,
        on_death: Callable[[Process], None] = lambda _: None,
        on_failed: Callable[[str, BaseException], None] | None = None,
        overheard: Callable[[str, str], None] = lambda _who, _what: None,
    ) -> None:
        self.world = world
        self.bad_disks: set[str] = set()
        """Whose disks have failed: such a process may have had what else would be bugs."""
        self._liars = liars
        self._on_death = on_death
        self._on_failed = on_failed or world.on_failed
        self._overheard = overheard
        self._mallory: Mallory | None = None
        self._attackers: dict[str, Attacker] = {}
        self._down_s: dict[str, float] = {}
        self._off_until: dict[str, float] = {}
        self._weather = f.Weather()
        self._groups: tuple[tuple[str, ...], ...] = ()
        self._far: dict[tuple[str, str], float] = {}
        self._supervised: set[str] = set()
        self.supervise()

    def supervise(self) -> None:
        """Look after all processes that the world has by now."""
        for process in self.world.processes():
            if process.name not in self._supervised:
                self._supervised.add(process.name)
                process.on_death = partial(self._after_death, process)
                process.on_failed = partial(self._after_failure, process)

    def prepare(self, steps: tuple[f.Step, ...]) -> None:
        """Let those who will be hostile listen from now on."""
        if self._mallory is None and any(isinstance(step, f.Strangers | f.Inject) for step in steps):
            self._mallory = Mallory(self.world, self._overheard)
        for step in steps:
            if isinstance(step, f.Attack | f.Stalk | f.Befriend):
                self.attacker(step.to if isinstance(step, f.Befriend) else step.who)

    def attacker(self, name: str) -> Attacker:
        """The hostile user of this name, who logs in as soon as there is one."""
        if name not in ATTACKERS:
            raise ValueError(f"a hostile user is one of {', '.join(ATTACKERS)}")
        if name not in self._attackers:
            self._attackers[name] = Attacker(self.world, name, self._overheard)
            self._attackers[name].log_in()
        return self._attackers[name]

    def leave(self) -> None:
        """Start nothing again any more: the world ends."""
        for process in self.world.processes():
            process.on_death = lambda: None

    # -- steps --

    def apply(self, step: f.Step) -> None:
        """Let it happen. Raises `ValueError` for a step that is someone's doing (`Write` and its like)."""
        self.supervise()
        self.prepare((step,))
        world, mixnet = self.world, self.world.mixnet
        match step:
            case f.Pause(seconds):
                world.sim.run_for(seconds)
            case f.Turns(count):
                for _ in range(count):
                    world.sim.step()
            case f.Weather() | f.Partition() | f.Far():
                self._change_mixnet(step)
            case f.CutOff(who, seconds):
                number = world.process(who).client_number
                mixnet.offline(number)
                world.sim.call_later(seconds, lambda: mixnet.online(number))
            case f.TagsDie(who):
                mixnet.forget(world.process(who).client_number)
            case f.MixnetDies(who, in_order):
                (mixnet.restart if in_order else mixnet.kill)(world.process(who).client_number)
            case f.SurbsExpire():
                mixnet.rotate_keys()
            case f.NodeLies(one_in):
                if self._liars is None:
                    raise ValueError("this world's node can't lie: make it with `node_transport=Liars(seed)`")
                self._liars.lie(one_in)
            case f.HostileNode(habit, seconds):
                if self._liars is None:
                    raise ValueError("this world's node can't be hostile: make it with `node_transport=Liars(seed)`")
                self._liars.begin(habit)
                world.sim.call_later(seconds, partial(self._liars.end, habit))
            case f.Attack(who, to, harm, count):
                self.attacker(who).attack(harm, to, count)
            case f.Strangers(count):
                self._hostile().attack(count)
            case f.Inject(count):
                self._hostile().inject(count)
            case f.Sleep(who, seconds):
                self._with_route(who).runtime.sleep(seconds)
            case f.HintsLost(seconds):
                self._server().loses_hints = True
                world.sim.call_later(seconds, self._server().find_hints)
            case f.DatabaseAway(seconds):
                for worker in world.workers:
                    self._break(f.DiskFull(worker.name, seconds))
            case f.WorkerDrained(who, down_s):
                self._drain(world.nodes[who], down_s)
            case f.WorkerLost(who, down_s):
                self._lose(world.nodes[who], down_s)
            case f.LongAway(days, node):
                self._switch_off(days, node)
            case f.Crash() | f.DiskFull() | f.DiskErrors() | f.SlowDisk() | f.ClockJump():
                self._break(step)
            case _:
                raise ValueError(f"{step} is done by a person: let the client do it")

    def _with_route(self, who: str) -> Process:
        if who not in self.world.clients:
            return self.world.process(who)
        number = self._server().worker_of(who)
        return next((each for each in self.world.workers if each.store.workers.number == number), self.world.node)

    def _lose(self, worker: SimNode, down_s: float) -> None:
        if worker.running:
            self._down_s[worker.name] = down_s
            worker.kill()
            worker.address = None

    def _drain(self, worker: SimNode, down_s: float) -> None:
        """As `usernym.Node.drain` does."""
        if not worker.running:
            return
        worker.graph.registration.tell(Drain())
        life, end = worker.deaths, self.world.sim.now() + DRAIN_S

        def look() -> None:
            if not worker.running or worker.deaths != life:
                return
            if self.world.sim.now() < end and worker.holds_routes() and not worker.is_alone():
                self.world.sim.call_later(DRAIN_LOOK_S, look)
                return
            worker.leave()
            self._down_s[worker.name] = down_s
            worker.kill()

        self.world.sim.call_later(DRAIN_LOOK_S, look)

    def _server(self) -> DatabaseServer:
        if self.world.server is None:
            raise ValueError("this world's node has one process: make it with `workers=`")
        return self.world.server

    def heal(self) -> None:
        """Everything works again: mixnet, node, disks, clocks; all processes run."""
        if self.world.server is not None:
            self.world.server.find_hints()
        if self._liars is not None:
            self._liars.behave()
        self._weather, self._groups, self._far = f.Weather(), (), {}
        self._set_faults()
        for process in self.world.processes():
            assert process.disk is not None, "worlds with troubles have disks"
            process.disk.heal()
            process.runtime.clock_error_s = 0
            process.start()
            self.world.mixnet.online(process.client_number)

    def all_run(self) -> bool:
        return all(process.running for process in self.world.processes())

    def _hostile(self) -> Mallory:
        assert self._mallory is not None, "it was prepared"
        return self._mallory

    # -- the mixnet --

    def _change_mixnet(self, step: f.Weather | f.Partition | f.Far) -> None:
        match step:
            case f.Weather():
                self._weather = step
            case f.Partition(groups, seconds):
                self._groups = groups
                self.world.sim.call_later(seconds, self._reunite)
            case f.Far(sender, recipient, delay_s):
                self._far[sender, recipient] = delay_s
        self._set_faults()

    def _set_faults(self) -> None:
        numbers = {process.name: process.client_number for process in self.world.processes()}
        it = self._weather
        self.world.mixnet.faults = Faults(
            it.loss,
            it.silent_loss,
            it.duplication,
            it.hop_delay_s,
            it.reorder,
            it.surb_age_s,
            tuple(tuple(numbers[name] for name in group) for group in self._groups),
            tuple(
                LinkDelay(numbers[sender], numbers[recipient], delay_s)
                for (sender, recipient), delay_s in self._far.items()
                if delay_s
            ),
        )

    def _reunite(self) -> None:
        self._groups = ()
        self._set_faults()

    # -- processes --

    def _break(self, step: f.Crash | f.DiskFull | f.DiskErrors | f.SlowDisk | f.ClockJump) -> None:
        process = self.world.process(step.who)
        disk = process.disk
        if disk is None:
            raise ValueError("this world has no disks: make it with `disks=True`")
        if isinstance(step, f.Crash):
            process.mixnet_lives = step.mixnet_lives
        match step:
            case f.Crash(commits=0):
                self._down_s[step.who] = step.down_s
                process.kill()
            case f.Crash():
                self._down_s[step.who] = step.down_s
                disk.crash_at(step.commits, step.moment)
            case f.DiskFull():
                self.bad_disks.add(step.who)
                disk.set_full(True)
                self.world.sim.call_later(step.seconds, lambda: disk.set_full(False))
            case f.DiskErrors():
                self.bad_disks.add(step.who)
                disk.fail(step.statements)
            case f.SlowDisk():
                disk.slow_down(step.delay_s)
                self.world.sim.call_later(step.seconds, lambda: disk.slow_down(0.0))
            case f.ClockJump():
                process.runtime.clock_error_s += step.seconds

    def _switch_off(self, days: int, node: bool) -> None:
        """Kill people's processes, and with `node` the nodes', and let the days pass."""
        until = self.world.sim.now() + days * DAY_S
        for process in [*self.world.clients.values(), *(self.world.nodes.values() if node else ())]:
            self._off_until[process.name] = until
            process.kill()
            self.world.sim.call_later(days * DAY_S, process.start)
        self.world.sim.run_for(days * DAY_S + AGAIN_S)

    def pass_a_month(self, *, needed: bool) -> None:
        """Where something may have waited too long: all are there for a while, and away for longer than word of a
        message is awaited. Then they are there again, and its writer's client calls it expired."""
        if needed:
            self.world.sim.run_for(2 * CLOCK_SETTLES_S)
            self._switch_off(round(AWAITED_S / DAY_S) + 1, node=True)
            for client in self.world.clients.values():
                client.connect()

    def switch_off(self, process: Process) -> None:
        """Kill a process, and leave it off."""
        self._off_until[process.name] = float("inf")
        process.kill()

    def switch_on(self, process: Process) -> None:
        """Start it again."""
        self._off_until.pop(process.name, None)
        process.start()

    def begin_elsewhere(self, client: SimClient) -> None:
        """A user who was switched off begins on another machine, as another identity, as soon as the node is there."""
        while not client.move(replace=True):
            self.world.sim.run_for(AGAIN_S)
        self._off_until.pop(client.name, None)

    def _after_death(self, process: Process) -> None:
        self._on_death(process)
        self.world.sim.call_later(self._down_s.pop(process.name, AGAIN_S), partial(self._start_again, process))

    def _start_again(self, process: Process) -> None:
        if self.world.sim.now() >= self._off_until.get(process.name, 0.0):
            process.start()

    def _after_failure(self, process: Process, actor: str, error: BaseException) -> None:
        if isinstance(error, StorageError) and process.name in self.bad_disks:
            # The product's processes end when an actor of theirs can't continue.
            self.world.sim.call_later(0.0, process.kill)
        else:
            self._on_failed(f"{process.name}: {actor}", error)
