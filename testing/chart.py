"""The trace of a run as a sequence chart: text with a column for each process, or Mermaid's `sequenceDiagram`.

Every message is one line, at the moment of its arrival: an arrow from its sender to its recipient. What never arrived
stands where it was sent. Contents are not shown, but for texts: scenarios write those themselves.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Final

from usernym.protocol.codec import decode
from usernym.protocol.errors import RemoteProtocolError
from usernym.testing.plan import Plan
from usernym.testing.run import Outcome, Run
from usernym.testing.tap import Heard

COLUMN: Final = 18
NOTE_LETTERS: Final = 90
_UNSAFE_IN_MERMAID: Final = str.maketrans(";<>#", ",() ")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: an arrow between two processes (`to` is set), or a note on one, or (`who` empty) on the whole."""

    at: float
    who: str
    to: str | None
    text: str
    lost: bool = False


class Chart:
    """Listens to a run, and draws it."""

    def __init__(self) -> None:
        self._heard: list[Heard] = []

    def __call__(self, heard: Heard) -> None:
        self._heard.append(heard)

    def lines(self) -> list[Line]:
        sent: dict[bytes, deque[tuple[int, str]]] = defaultdict(deque)
        lines: dict[int, Line] = {}
        for number, heard in enumerate(self._heard):
            digest = hashlib.sha256(heard.data).digest()
            match heard.what:
                case "sent":
                    sent[digest].append((number, heard.who))
                    lines[number] = Line(heard.at, heard.who, None, f"{kind_of(heard.data)} is lost", lost=True)
                case "arrived":
                    if sent[digest]:
                        first, sender = sent[digest][0]
                        # The first arrival takes the place of the sending; a second one is a duplicate.
                        lines.pop(first, None)
                        if len(sent[digest]) > 1:
                            sent[digest].popleft()
                        lines[number] = Line(heard.at, sender, heard.who, kind_of(heard.data))
                    else:
                        lines[number] = Line(heard.at, heard.who, None, f"{kind_of(heard.data)} from nowhere")
                case _:
                    lines[number] = Line(heard.at, heard.who, None, heard.text)
        return [lines[number] for number in sorted(lines)]

    def text(self) -> str:
        lines = self.lines()
        names = _names(lines)
        place = {name: number for number, name in enumerate(names)}
        rule = " " * 10 + "".join(name.center(COLUMN) for name in names)
        drawn = [rule]
        for line in lines:
            at = f"{line.at:9.3f} "
            if line.to is not None and line.who in place:
                drawn.append(at + _arrow(place[line.who], place[line.to], line.text, len(names)))
            elif line.who in place:
                left = place[line.who] * COLUMN
                mark = "x " if line.lost else "* "
                drawn.append(at + _bars(len(names))[:left] + mark + line.text[: max(COLUMN, NOTE_LETTERS)])
            else:
                drawn.append(at + f"--- {line.text} ".ljust(len(names) * COLUMN, "-"))
        return "\n".join(drawn) + "\n"

    def mermaid(self) -> str:
        """The chart for Mermaid (https://mermaid.js.org/syntax/sequenceDiagram.html)."""
        lines = self.lines()
        names = _names(lines)
        drawn = ["sequenceDiagram", *(f"    participant {name}" for name in names)]
        for line in lines:
            text = f"{line.at:.3f} {line.text}".translate(_UNSAFE_IN_MERMAID)
            if line.to is not None:
                drawn.append(f"    {line.who}->>{line.to}: {text}")
            elif line.who in names:
                drawn.append(f"    Note over {line.who}: {text}")
            elif names:
                drawn.append(f"    Note over {names[0]},{names[-1]}: {text}")
        return "\n".join(drawn) + "\n"


def kind_of(data: bytes) -> str:
    """What kind of frame this is."""
    try:
        return type(decode(data).message).__name__
    except RemoteProtocolError:
        return f"{len(data)} odd bytes"


def _names(lines: list[Line]) -> list[str]:
    names = dict.fromkeys(name for line in lines for name in (line.who, line.to) if name)
    return sorted(names, key=lambda name: (name != "node", name))


def _bars(count: int) -> str:
    return "|".center(COLUMN) * count


def _arrow(start: int, end: int, text: str, count: int) -> str:
    bars = _bars(count)
    left, right = (start, end) if start <= end else (end, start)
    from_at, to_at = left * COLUMN + COLUMN // 2, right * COLUMN + COLUMN // 2
    width = max(to_at - from_at - 1, len(text) + 2)
    label = f" {text} ".center(width, "-")
    line = f"{label[:-1]}>" if start <= end else f"<{label[1:]}"
    return f"{bars[: from_at + 1]}{line}{bars[from_at + 1 + width :]}"


def charted(plan: Plan) -> tuple[Outcome, Chart]:
    """Make a run of the plan, and its chart."""
    chart = Chart()
    return Run(plan, chart).play(), chart
