"""What people do in a scenario, and what goes wrong, as values. A scenario is a list of these.

People and nodes are named: a scenario of three people has `alice`, `bob` and `carol` at `node`; the further workers of
a node that has several are `node-2` and so on. Times are virtual
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from usernym.testing.attacker import Harm
from usernym.testing.disk import Moment
from usernym.testing.habits import Habit

# -- people --


@dataclass(frozen=True, slots=True)
class Write:
    """`who` writes a text of about `size` bytes to `to`."""

    who: str
    to: str
    size: int = 20


@dataclass(frozen=True, slots=True)
class WriteFile:
    """`who` sends a file of `size` bytes to `to`, if they know each other."""

    who: str
    to: str
    size: int


@dataclass(frozen=True, slots=True)
class Handshake:
    """`who` takes a step towards (or away from) a direct route to `to`."""

    who: str
    to: str
    step: Literal["offer", "accept", "revoke"]


@dataclass(frozen=True, slots=True)
class DirectOnly:
    """`who` lets texts to `to` wait for the direct route where it is silent; with `on` false, they take the node's."""

    who: str
    to: str
    on: bool = True


@dataclass(frozen=True, slots=True)
class LookUpUser:
    """`who` looks `to` up."""

    who: str
    to: str


@dataclass(frozen=True, slots=True)
class LookAt:
    """`who` looks `to` up, then at the identity that they have by now."""

    who: str
    to: str


@dataclass(frozen=True, slots=True)
class Decide:
    """`who` accepts, declines or blocks `to`."""

    who: str
    to: str
    decision: Literal["accept", "decline", "block"]


@dataclass(frozen=True, slots=True)
class Befriend:
    """`who` writes a text to a hostile user, who is a contact from then on."""

    who: str
    to: str


@dataclass(frozen=True, slots=True)
class MachineLost:
    """`who` has lost their machine, with all that was on it, and begins with the recovery words on another one. With
    `replace` they take a new identity: someone else has the machine, its identity key and its Nym address."""

    who: str
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Theft:
    """`who`'s machine is stolen. The thief lets another identity follow, and offers `to` a handshake, which they accept
    if they can, and write. Then the owner begins elsewhere, as a third identity, and writes to `to`. `looks`: whether
    `to` looks at the thief's identity, and decides about it before the owner is back, or after."""

    who: str
    to: str
    looks: Literal["never", "before", "after"] = "before"


@dataclass(frozen=True, slots=True)
class Pause:
    """Time passes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Turns:
    """So many of the scheduler's turns pass: a moment in the middle of something."""

    count: int


# -- the mixnet --


@dataclass(frozen=True, slots=True)
class Weather:
    """How badly the mixnet behaves from now on; see `usernym.mixnet.emulator.state.Faults`."""

    loss: float = 0.0
    silent_loss: float = 0.0
    duplication: float = 0.0
    hop_delay_s: float = 0.015
    reorder: bool = True
    surb_age_s: float = 86400.0


@dataclass(frozen=True, slots=True)
class Partition:
    """The groups reach no one of another group, for so long."""

    groups: tuple[tuple[str, ...], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Far:
    """What `sender` sends to `recipient` takes so much longer from now on; 0: no longer."""

    sender: str
    recipient: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class CutOff:
    """`who` loses its gateway for so long, and is notified."""

    who: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TagsDie:
    """`who`'s mixnet client loses all SURBs, tags and reply keys, without notice."""

    who: str


@dataclass(frozen=True, slots=True)
class MixnetDies:
    """`who`'s mixnet client is killed and starts again; `in_order`: it stops as it should, and keeps its SURBs."""

    who: str
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class SurbsExpire:
    """The mix nodes change keys: every SURB that was made until now is dead."""


# -- processes and their disks --


@dataclass(frozen=True, slots=True)
class Crash:
    """`who`'s process dies: at its `commits`-th commit from now on, at that `moment` of it; with 0, at once. It starts
    again after so long. What it had not synced is lost. Its mixnet client dies too, unless that lives on, as a
    nym-client does."""

    who: str
    commits: int = 0
    moment: Moment = Moment.BEFORE
    down_s: float = 1.0
    mixnet_lives: bool = False


@dataclass(frozen=True, slots=True)
class LongAway:
    """All people's machines are off for so many days, as though their processes had been killed, and then start again;
    with `node`, the node's too. Keys grow old meanwhile, and what waits may expire."""

    days: int
    node: bool = True


@dataclass(frozen=True, slots=True)
class DiskFull:
    """`who`'s disk has no room for so long."""

    who: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DiskErrors:
    """So many of the next statements of `who` fail, as on a bad disk."""

    who: str
    statements: int


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """Each of `who`'s commits takes `delay_s`, for so long; the process waits for it."""

    who: str
    delay_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """`who`'s process does nothing for so long, as one that is stopped or swapped out; then it handles what came. For a
    user it is the process of the node's that has their route."""

    who: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HintsLost:
    """No notification between the node's workers arrives for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class DatabaseAway:
    """No worker of the node can commit for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WorkerDrained:
    """The node's worker `who` sends its users to the others, ends when they have gone, and starts again `down_s` after
    that, as `usernym node drain` at an upgrade. After a minute it ends also if some are left."""

    who: str
    down_s: float


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The machine of the node's worker `who` is gone, with its mixnet client. After `down_s` another one takes its
    place, at another address. If that happened to all of a node's workers, no one would find the node any more."""

    who: str
    down_s: float


@dataclass(frozen=True, slots=True)
class ClockJump:
    """`who`'s wall clock jumps by so many seconds, either way."""

    who: str
    seconds: int


# -- hostile parties --


@dataclass(frozen=True, slots=True)
class NodeLies:
    """From now on the node alters, swaps, repeats or makes up what it sends, one time in so many; 0: it stops."""

    one_in: int


@dataclass(frozen=True, slots=True)
class Strangers:
    """Someone with an account of their own sends so many hostile messages, through the node and directly: forged
    senders, stolen seals, wrong inner signatures, broken payloads."""

    count: int


@dataclass(frozen=True, slots=True)
class Attack:
    """The hostile user `who` does `harm` to `to` so many times; see `attacker.Harm`."""

    who: str
    to: str
    harm: Harm
    count: int = 1


@dataclass(frozen=True, slots=True)
class Stalk:
    """The hostile user `who`, whom `to` has blocked or declined, finds out whether `to` is there: writes until it is
    refused, then once a minute. A plan with this step is played in two worlds; in one of them `to` is away meanwhile.
    (A contact may know: there are receipts.)"""

    who: str
    to: str
    decision: Literal["block", "decline"] = "block"


@dataclass(frozen=True, slots=True)
class HostileNode:
    """The node has a habit for so long; see `habits.Habit`."""

    habit: Habit
    seconds: float


@dataclass(frozen=True, slots=True)
class Inject:
    """The mixnet sends so many messages that it has carried before once more, some of them altered, to the addresses
    that have been revealed: the node's, and those of people who have shaken hands."""

    count: int


Step = (
    Write | WriteFile | Handshake | DirectOnly | LookUpUser | LookAt | Decide | Befriend | MachineLost | Theft | Pause
    | Turns | Weather | Partition | Far | CutOff | TagsDie | MixnetDies | SurbsExpire | Crash | LongAway | DiskFull
    | DiskErrors | SlowDisk | Sleep | HintsLost | DatabaseAway | WorkerDrained | WorkerLost
    | ClockJump | NodeLies | HostileNode | Strangers | Attack
    | Stalk | Inject
)  # fmt: skip
"""What a plan is made of."""

STEPS: Final[dict[str, type[Step]]] = {kind.__name__: kind for kind in Step.__args__}
"""Every kind of step, by name."""
