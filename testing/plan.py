"""A plan makes a run, and nothing else does: a seed, a tape of the scheduler's choices, people, and steps.

A plan can be written as one line of text and read back (`line`, `plan_of`), which is how a failure is replayed.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec

from usernym.protocol.payloads import CHUNK_BYTES
from usernym.testing import faults as f
from usernym.testing.attacker import ATTACKERS, Harm
from usernym.testing.database import worker_names
from usernym.testing.disk import Moment
from usernym.testing.habits import HABITS

NAMES: Final = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
LINE_BYTES_MAX: Final = 1 << 20
"""A plan's text, unpacked: far above any that is made; it bounds what a pasted line can cost."""
_VERSION: Final = 1
HINTLESS: Final = 6
"""In one plan of so many for a node of several processes, all goes well but that no notification arrives."""
CARD_KEPT_S: Final = 600.0
"""A client takes no other card sooner (docs/protocol.md, "Node cards")."""
DRAINED_S: Final = 70.0
"""After so long a worker that is drained has ended."""
LEFT_S: Final = (17.0, 20.0)
"""A worker that is silent for so long is about to be left by a user who asks it something, or has just been."""
PROMPT: Final = (f.Write, f.Pause, f.Turns, f.LookUpUser, f.HintsLost, f.WorkerDrained)
"""Steps of such a plan: a text is delivered at once, at whichever worker its recipient is."""
WORKERS_MAX: Final = 8
"""As many as a card has addresses."""
FILE_SIZES: Final = (1, 20_000, CHUNK_BYTES, 70_000, 300_000)
"""Bytes: one chunk and several, also more than are on their way at once."""


class NotAPlan(ValueError):
    """This text is not a plan, or is one of another version."""


@dataclass(frozen=True)
class Plan:
    """Everything that makes a run. `people`: how many, 2 to 10. `encrypted`: whether their stores are. `workers`: how
    many processes the node has, 1 to `WORKERS_MAX`."""

    seed: int
    people: int
    steps: tuple[f.Step, ...]
    tape: tuple[int, ...] = ()
    encrypted: bool = False
    workers: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES[: self.people]

    def __str__(self) -> str:
        steps = "\n".join(f"  {step}" for step in self.steps)
        return f"seed {self.seed}, {self.people} people, {len(self.tape)} choices on tape\n{steps}"


# -- as one line --


def line(plan: Plan) -> str:
    """The plan as text without white space."""
    steps = [[type(step).__name__, *dataclasses.astuple(step)] for step in plan.steps]
    content = [_VERSION, plan.seed, plan.people, plan.encrypted, list(plan.tape), steps]
    if plan.workers > 1:
        content.append(plan.workers)
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)).decode()


def plan_of(text: str) -> Plan:
    """The plan that the text stands for. Raises `NotAPlan`."""
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base64.urlsafe_b64decode(text.strip()), LINE_BYTES_MAX)
        version, seed, people, encrypted, tape, steps, *more = json.loads(content)
        (workers,) = more or (1,)
        if version != _VERSION:
            raise NotAPlan("this line was written by another version")
        plan = Plan(
            msgspec.convert(seed, int),
            msgspec.convert(people, int),
            tuple(_step(*step) for step in steps),
            msgspec.convert(tape, tuple[int, ...]),
            msgspec.convert(encrypted, bool),
            msgspec.convert(workers, int),
        )
    except (binascii.Error, zlib.error, msgspec.ValidationError) as error:
        raise NotAPlan(f"not a plan: {error}") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotAPlan(f"not a plan: {error}") from None
    if not 2 <= plan.people <= len(NAMES):
        raise NotAPlan(f"a plan has 2 to {len(NAMES)} people")
    if not 1 <= plan.workers <= WORKERS_MAX:
        raise NotAPlan(f"a node has 1 to {WORKERS_MAX} workers")
    return plan


def _step(kind: str, *values: Any) -> f.Step:
    step = f.STEPS[kind]
    names = [field.name for field in dataclasses.fields(step)]
    return msgspec.convert(dict(zip(names, values, strict=True)), step)


# -- at random --


GOOD_WEATHER: Final = f.Weather()


@dataclass(frozen=True, slots=True)
class PlanProfile:
    """What random plans are like. `weights`: how likely each kind of trouble is beside the others."""

    messages: tuple[int, int] = (4, 14)
    """Fewest and most texts."""
    troubles: tuple[int, int] = (1, 6)
    """Fewest and most faults."""
    pause_s: tuple[float, float] = (0.01, 20.0)
    weights: tuple[tuple[str, int], ...] = (
        ("Weather", 4), ("Partition", 2), ("Far", 1), ("CutOff", 2), ("TagsDie", 2), ("MixnetDies", 2),
        ("SurbsExpire", 1), ("Crash", 10), ("DiskFull", 3), ("DiskErrors", 1), ("SlowDisk", 1), ("ClockJump", 3),
        ("Strangers", 1), ("Inject", 2), ("Handshake", 4),
    )  # fmt: skip
    weather: f.Weather = GOOD_WEATHER
    """What the mixnet is like at first."""
    lies: int = 8
    """In one plan of so many the node lies; 0: in none."""
    long_away: int = 16
    """In one plan of so many everyone is away for days or weeks; 0: in none."""
    files: int = 3
    """In one plan of so many a file or two are sent; 0: in none."""
    encrypted: int = 8
    """In one plan of so many the stores are encrypted; 0: in none."""
    workers: int = 1
    """How many processes the node has."""


SOAK: Final = PlanProfile(
    messages=(150, 250),
    troubles=(3, 10),
    pause_s=(0.05, 3.0),
    weights=(
        ("Crash", 12),
        ("MixnetDies", 2),
        ("TagsDie", 1),
        ("Handshake", 2),
        ("CutOff", 1),
        ("Attack", 4),
        ("Befriend", 1),
        ("Decide", 1),
    ),
    weather=f.Weather(loss=0.2, silent_loss=0.002),
    lies=0,
    long_away=0,
)
"""Many messages at 20 % loss, with crashes and hostile users."""


HOSTILE: Final = PlanProfile(
    weights=(
        *PlanProfile().weights,
        ("Attack", 8),
        ("Befriend", 3),
        ("Decide", 2),
        ("MachineLost", 2),
        ("Theft", 1),
        ("LookAt", 2),
    )
)
"""Every fault, with hostile users and stolen machines."""

PEOPLE: Final = PlanProfile(
    messages=(2, 8),
    troubles=(2, 8),
    pause_s=(0.05, 30.0),
    weights=(("Attack", 12), ("Befriend", 3), ("Decide", 2), ("Stalk", 1)),
    lies=0,
    long_away=0,
    files=0,
)
"""Hostile users in a world where nothing else goes wrong."""

THIEVES: Final = PlanProfile(
    messages=(2, 8),
    troubles=(6, 14),
    pause_s=(0.5, 30.0),
    weights=(
        ("Handshake", 10),
        ("MachineLost", 2),
        ("Theft", 2),
        ("LookAt", 4),
        ("DirectOnly", 1),
        ("Crash", 1),
        ("Attack", 1),
    ),
    lies=0,
    long_away=0,
)
"""Users whose machines are stolen, and who begin again elsewhere, some as another identity."""

NODE: Final = PlanProfile(
    messages=(2, 8),
    troubles=(2, 8),
    pause_s=(0.5, 600.0),
    weights=(("HostileNode", 12), ("Handshake", 2), ("LookAt", 1), ("MachineLost", 1), ("Crash", 1), ("Attack", 1)),
    lies=0,
    long_away=0,
)
"""A node that is hostile with a purpose, and takes its time: what it hoards counts for a day."""


WORKERS: Final = PlanProfile(
    troubles=(2, 8),
    weights=(
        ("Crash", 10), ("Sleep", 6), ("HintsLost", 4), ("DatabaseAway", 3), ("WorkerDrained", 3), ("WorkerLost", 3),
        ("DiskErrors", 6), ("SlowDisk", 1),
        ("MixnetDies", 3), ("TagsDie", 1), ("CutOff", 2), ("ClockJump", 3), ("Partition", 2), ("Weather", 2),
        ("Handshake", 2), ("MachineLost", 1), ("LookAt", 1),
    ),
    lies=0,
    workers=3,
)  # fmt: skip
"""A node of several processes on one database, which fail one by one and all together."""


def random_plan(seed: int, people: int, profile: PlanProfile | None = None) -> Plan:
    """The plan of this seed."""
    profile = profile or PlanProfile()
    rng = random.Random(f"plan {seed}")  # noqa: S311 - repeatable on purpose
    names = NAMES[:people]
    steps: list[f.Step] = []
    writes = rng.randint(*profile.messages)
    for _ in range(writes):
        who, to = rng.sample(names, 2)
        size = 20 if rng.random() < 0.85 else rng.choice((1, 160, 1_000, 5_000))
        steps.append(f.Write(who, to, size))
        if rng.random() < 0.5:
            steps.append(_pause(rng, profile))
    kinds, weights = zip(*profile.weights, strict=True)
    for kind in rng.choices(kinds, weights, k=rng.randint(*profile.troubles)):
        at = rng.randint(0, len(steps))
        trouble = (TROUBLES | HOSTILE_TROUBLES | WORKER_TROUBLES)[kind](rng, names)
        steps[at:at] = [trouble, _pause(rng, profile)] if rng.random() < 0.5 else [trouble]
    if profile.lies and rng.randrange(profile.lies) == 0:
        steps.insert(rng.randint(0, len(steps)), f.NodeLies(rng.choice((2, 4, 10))))
    _add_files(steps, seed, profile)
    if profile.weather != GOOD_WEATHER:
        steps.insert(0, profile.weather)
    encrypted = bool(profile.encrypted) and rng.randrange(profile.encrypted) == 0
    if profile.long_away and rng.randrange(profile.long_away) == 0:
        days, node = rng.choice((2, 8, 31, 40)), rng.random() < 0.9 or profile.workers > 1
        # A node that stays on sweeps every five minutes: a month of that takes seconds of the processor's time. Several
        # workers look for hints each second: a day of that takes a minute.
        away = f.LongAway(days if node else min(days, 8), node)
        steps.insert(rng.randint(0, len(steps)), away)
    if profile.workers > 1:
        spread = random.Random(f"workers {seed}")  # noqa: S311 - repeatable on purpose
        steps = [_at_a_worker(step, spread, profile.workers) for step in steps]
        steps = [each for step in steps for each in _in_mid_flight(step, spread, names)]
        if any(isinstance(step, f.WorkerLost) for step in steps):
            # Who is drained while the others are dead unnoticed leaves users with a card that names only those.
            steps = [step for step in steps if not isinstance(step, f.WorkerDrained)]
        if spread.randrange(HINTLESS) == 0:
            steps = _hints_lost([step for step in steps if isinstance(step, PROMPT)])
    return Plan(seed, people, tuple(steps), (), encrypted, profile.workers)


def _at_a_worker(step: f.Step, rng: random.Random, workers: int) -> f.Step:
    """The same with one of the node's workers, where it is about the node."""
    # One of them keeps its address.
    name = rng.choice(worker_names(workers)[isinstance(step, f.WorkerLost) :])
    if isinstance(step, f.Partition):
        groups = (tuple(name if who == "node" else who for who in group) for group in step.groups)
        return dataclasses.replace(step, groups=tuple(groups))
    changed = {field.name: name for field in dataclasses.fields(step) if getattr(step, field.name) == "node"}
    return dataclasses.replace(step, **changed)  # type: ignore[arg-type]  # these fields are names


def _hints_lost(steps: list[f.Step]) -> list[f.Step]:
    """These where no notification arrives; at most one worker is drained, when all clients may take another card."""
    drains = [place for place, step in enumerate(steps) if isinstance(step, f.WorkerDrained)]
    for place in reversed(drains):
        steps[place : place + 1] = (
            [f.Pause(CARD_KEPT_S), steps[place], f.Pause(DRAINED_S)] if place == drains[0] else []
        )
    return [f.HintsLost(86_400.0), *steps]


def _in_mid_flight(step: f.Step, rng: random.Random, names: tuple[str, ...]) -> list[f.Step]:
    """A worker falls asleep while a text, or its acknowledgement, is on its way. Most often it is that of the
    recipient, who has something to say, and so goes to another one at about the time that it wakes."""
    if not isinstance(step, f.Sleep) or (chance := rng.random()) < 0.25:
        return [step]
    who, to = _two(rng, names)
    begun: list[f.Step] = [f.Write(who, to), f.Turns(rng.randint(10, 40))]
    if chance < 0.5:
        return [*begun, step]
    return [*begun, f.Sleep(to, round(rng.uniform(*LEFT_S), 1)), f.Write(to, who)]


def _add_files(steps: list[f.Step], seed: int, profile: PlanProfile) -> None:
    """Let some who write send files too, to whom they have written before. By chance of its own: what else is in a
    plan does not change by it."""
    rng = random.Random(f"files {seed}")  # noqa: S311 - repeatable on purpose
    written = [place for place, step in enumerate(steps) if isinstance(step, f.Write)]
    if not profile.files or not written or rng.randrange(profile.files):
        return
    for place in sorted(rng.choices(written, k=rng.randint(1, 2)), reverse=True):
        step = steps[place]
        assert isinstance(step, f.Write), "as chosen"
        who, to = (step.who, step.to) if rng.random() < 0.8 else (step.to, step.who)
        at = rng.randint(place + 1, len(steps))
        steps.insert(at, f.WriteFile(who, to, rng.choice(FILE_SIZES)))
    if "Crash" in dict(profile.weights) and rng.random() < 0.5:
        # One of the two dies while it is on its way: that takes seconds, in which hardly anything else happens.
        at, file = rng.choice([(at, step) for at, step in enumerate(steps) if isinstance(step, f.WriteFile)])
        steps[at + 1 : at + 1] = [_pause(rng, profile), _crash(rng, (), rng.choice((file.who, file.to)))]


def _pause(rng: random.Random, profile: PlanProfile) -> f.Step:
    if rng.random() < 0.3:
        return f.Turns(rng.randint(1, 40))
    low, high = profile.pause_s
    return f.Pause(round(low * (high / low) ** rng.random(), 3))


def _anybody(rng: random.Random, names: tuple[str, ...]) -> str:
    return "node" if rng.random() < 0.4 else rng.choice(names)


def _weather(rng: random.Random, _names: tuple[str, ...]) -> f.Step:
    return rng.choice(
        (
            f.Weather(loss=0.2),
            f.Weather(loss=0.1, duplication=0.2),
            f.Weather(silent_loss=0.1, hop_delay_s=0.5),
            f.Weather(loss=0.3, silent_loss=0.1, duplication=0.3, hop_delay_s=2.0),
            f.Weather(surb_age_s=rng.choice((5.0, 60.0))),
            f.Weather(reorder=False),
            f.Weather(),
        )
    )


def _crash(rng: random.Random, names: tuple[str, ...], who: str | None = None) -> f.Step:
    down_s = round(rng.choice((0.0, 0.5, 5.0, 60.0)) * rng.random(), 2)
    who, commits, moment = who or _anybody(rng, names), 0, Moment.BEFORE
    if rng.random() >= 0.3:
        commits, moment = rng.randint(1, 12), rng.choice(list(Moment))
    return f.Crash(who, commits, moment, down_s, mixnet_lives=rng.random() < 0.5)


def _partition(rng: random.Random, names: tuple[str, ...]) -> f.Step:
    away = tuple(name for name in names if rng.random() < 0.5) or names[:1]
    return f.Partition((("node",), away), round(rng.uniform(1, 90), 1))


def _handshake(rng: random.Random, names: tuple[str, ...]) -> f.Step:
    who, to = rng.sample(names, 2)
    return f.Handshake(who, to, rng.choice(("offer", "offer", "accept", "accept", "revoke")))


def _far(rng: random.Random, names: tuple[str, ...]) -> f.Step:
    sender, recipient = rng.choice((("node", rng.choice(names)), (rng.choice(names), "node")))
    return f.Far(sender, recipient, rng.choice((0.0, 1.0, 8.0)))


def _clock(rng: random.Random, names: tuple[str, ...]) -> f.Step:
    return f.ClockJump(_anybody(rng, names), rng.choice((-7200, -600, -30, 30, 600, 1200, 7200, 90_000)))


def _two(rng: random.Random, names: tuple[str, ...]) -> tuple[str, str]:
    who, to = rng.sample(names, 2)
    return who, to


def _attack(rng: random.Random, names: tuple[str, ...]) -> f.Step:
    harm = rng.choice(get_args(Harm))
    # 20: more than a node has on their way to one client at once; 140: a counter that takes one byte more.
    return f.Attack(rng.choice(ATTACKERS), rng.choice(names), harm, rng.choice((1, 3, 20, 20, 140)))


def _decide(rng: random.Random, names: tuple[str, ...]) -> f.Step:
    return f.Decide(rng.choice(names), rng.choice(ATTACKERS), rng.choice(("accept", "decline", "block")))


def _hostile_node(rng: random.Random, _names: tuple[str, ...]) -> f.Step:
    return f.HostileNode(rng.choice(HABITS), rng.choice((30.0, 300.0, 1800.0)))


def _direct_only(rng: random.Random, names: tuple[str, ...]) -> f.Step:
    who, to = rng.sample(names, 2)
    return f.DirectOnly(who, to, rng.random() < 0.7)


TROUBLES: Final[dict[str, Callable[[random.Random, tuple[str, ...]], f.Step]]] = {
    "Weather": _weather,
    "Partition": _partition,
    "Far": _far,
    "CutOff": lambda rng, names: f.CutOff(_anybody(rng, names), round(rng.uniform(0.5, 60), 1)),
    "TagsDie": lambda rng, names: f.TagsDie(_anybody(rng, names)),
    "MixnetDies": lambda rng, names: f.MixnetDies(_anybody(rng, names), rng.random() < 0.5),
    "SurbsExpire": lambda _rng, _names: f.SurbsExpire(),
    "Crash": _crash,
    "DiskFull": lambda rng, names: f.DiskFull(_anybody(rng, names), round(rng.uniform(1, 60), 1)),
    "DiskErrors": lambda rng, names: f.DiskErrors(_anybody(rng, names), rng.randint(1, 3)),
    "SlowDisk": lambda rng, names: f.SlowDisk(_anybody(rng, names), rng.choice((0.2, 2.0)), 20.0),
    "ClockJump": _clock,
    "Strangers": lambda rng, _names: f.Strangers(rng.randint(1, 6)),
    "Inject": lambda rng, _names: f.Inject(rng.randint(1, 20)),
    "Handshake": _handshake,
    "DirectOnly": _direct_only,
}
"""How a trouble of each kind is drawn."""
HOSTILE_TROUBLES: Final[dict[str, Callable[[random.Random, tuple[str, ...]], f.Step]]] = {
    "LookAt": lambda rng, names: f.LookAt(*_two(rng, names)),
    "MachineLost": lambda rng, names: f.MachineLost(rng.choice(names), rng.random() < 0.7),
    "Theft": lambda rng, names: f.Theft(*_two(rng, names), rng.choice(("never", "before", "after"))),
    "Attack": _attack,
    "Befriend": lambda rng, names: f.Befriend(rng.choice(names), rng.choice(ATTACKERS)),
    "Decide": _decide,
    "Stalk": lambda rng, names: f.Stalk(
        rng.choice(ATTACKERS), rng.choice(names), "block" if rng.random() < 0.7 else "decline"
    ),
    "HostileNode": _hostile_node,
}
"""The same for users and a node who mean harm, and for what those do who fear it."""
WORKER_TROUBLES: Final[dict[str, Callable[[random.Random, tuple[str, ...]], f.Step]]] = {
    "Sleep": lambda rng, _names: f.Sleep("node", rng.choice((1.0, 20.0, 150.0, 400.0))),
    "HintsLost": lambda rng, _names: f.HintsLost(rng.choice((5.0, 60.0, 600.0))),
    "DatabaseAway": lambda rng, _names: f.DatabaseAway(rng.choice((0.5, 5.0, 60.0))),
    "WorkerDrained": lambda rng, _names: f.WorkerDrained("node", rng.choice((0.5, 10.0, 200.0))),
    "WorkerLost": lambda rng, _names: f.WorkerLost("node", rng.choice((0.5, 60.0, 400.0))),
}
"""Those of a node that has several processes."""
