"""Simulation for anyone's tests: worlds of nodes, users and a mixnet, with faults, from a seed. See docs/testing.md."""

from usernym.actors.events import DeliveryChanged, Event, MessageArrived
from usernym.actors.simulation import SimulationStuck
from usernym.mixnet.emulator.state import Faults
from usernym.storage.client.types import DeliveryState
from usernym.testing.chart import Chart, charted
from usernym.testing.disk import Moment
from usernym.testing.faults import (
    Attack,
    Befriend,
    ClockJump,
    Crash,
    CutOff,
    Decide,
    DirectOnly,
    DiskErrors,
    DiskFull,
    Far,
    Handshake,
    HostileNode,
    Inject,
    LookAt,
    LookUpUser,
    MachineLost,
    MixnetDies,
    NodeLies,
    Partition,
    Pause,
    SlowDisk,
    Stalk,
    Step,
    Strangers,
    SurbsExpire,
    TagsDie,
    Turns,
    Weather,
    Write,
)
from usernym.testing.loop import Bounds, Summary, search
from usernym.testing.oracle import Oracle, Promise
from usernym.testing.plan import Plan, PlanProfile, random_plan
from usernym.testing.process import App
from usernym.testing.run import Outcome, play
from usernym.testing.scenario import ScenarioFailed, check
from usernym.testing.troubles import Liars, Troubles
from usernym.testing.world import SimClient, SimNode, World

__all__ = [
    "App",
    "Attack",
    "Befriend",
    "Bounds",
    "Chart",
    "ClockJump",
    "Crash",
    "CutOff",
    "Decide",
    "DeliveryChanged",
    "DeliveryState",
    "DirectOnly",
    "DiskErrors",
    "DiskFull",
    "Event",
    "Far",
    "Faults",
    "Handshake",
    "HostileNode",
    "Inject",
    "Liars",
    "LookAt",
    "LookUpUser",
    "MachineLost",
    "MessageArrived",
    "MixnetDies",
    "Moment",
    "NodeLies",
    "Oracle",
    "Outcome",
    "Partition",
    "Pause",
    "Plan",
    "PlanProfile",
    "Promise",
    "ScenarioFailed",
    "SimClient",
    "SimNode",
    "SimulationStuck",
    "SlowDisk",
    "Stalk",
    "Step",
    "Strangers",
    "Summary",
    "SurbsExpire",
    "TagsDie",
    "Troubles",
    "Turns",
    "Weather",
    "World",
    "Write",
    "charted",
    "check",
    "play",
    "random_plan",
    "search",
]
