"""Simulation for anyone's tests: worlds of nodes, users and a mixnet, with faults, from a seed. See docs/testing.md."""

from usernym.actors.events import DeliveryChanged, Event, MessageArrived
from usernym.actors.simulation import SimulationStuck
from usernym.mixnet.emulator.state import Faults
from usernym.storage.client.types import DeliveryState
from usernym.testing.chart import Chart, charted
from usernym.testing.disk import Moment
from usernym.testing.faults import (
    ClockJump,
    Crash,
    CutOff,
    DirectOnly,
    DiskErrors,
    DiskFull,
    Far,
    Handshake,
    Inject,
    LookUpUser,
    MixnetDies,
    NodeLies,
    Partition,
    Pause,
    SlowDisk,
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
    "Bounds",
    "Chart",
    "ClockJump",
    "Crash",
    "CutOff",
    "DeliveryChanged",
    "DeliveryState",
    "DirectOnly",
    "DiskErrors",
    "DiskFull",
    "Event",
    "Far",
    "Faults",
    "Handshake",
    "Inject",
    "Liars",
    "LookUpUser",
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
