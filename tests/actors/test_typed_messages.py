"""The type checker refuses an actor that tells what its collaborator does not take, and one that forgets a message.

mypy runs on the real sources with defects planted in copies of them (`--shadow-file`): one forgotten case in each
actor's `receive`, and wrong tells at each collaborator. If a collaborator were `Ref[Any]`, or a `receive` had no
`assert_never`, mypy would accept the defect, and these tests fail.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

import usernym

ROOT: Final = Path(usernym.__file__).parent.parent
ACTORS: Final = ROOT / "actors"
SOURCES: Final = sorted(path for path in ACTORS.rglob("*.py"))
PLANTED: Final = "  # planted"

NONSENSE: Final = '''
from __future__ import annotations

from concurrent.futures import Future

from usernym.actors import messages as msg
from usernym.actors.base import Tellable
from usernym.actors.forwarding.client import ForwardingClient
from usernym.actors.forwarding.node import ForwardingNode
from usernym.actors.graphs import ClientGraph, NodeGraph
from usernym.actors.handshake.client import HandshakeClient
from usernym.actors.lookup.client import LookupClient
from usernym.actors.lookup.node import LookupNode
from usernym.actors.registration.client import RegistrationClient
from usernym.actors.registration.node import RegistrationNode
from usernym.protocol import messages as m


def refused(
    client: ClientGraph,
    node: NodeGraph,
    lookup: LookupClient,
    forwarding: ForwardingClient,
    registration: RegistrationClient,
    handshake: HandshakeClient,
    forwarding_node: ForwardingNode,
    lookup_node: LookupNode,
    registration_node: RegistrationNode,
    answer: Future[None],
) -> None:
    """Each marked line tells an actor what it does not take, or what this teller may not tell it."""
    lookup._io.tell(msg.Resolved("bob"))  # planted
    lookup._io.tell(msg.SetCard(b""))  # planted
    forwarding._host.io.tell(msg.SetCard(b""))  # planted
    forwarding._host.lookup.tell(msg.FindContact("bob", answer))  # planted
    forwarding._host.registration.tell(msg.GoOnline(answer))  # planted
    forwarding._host.handshake.tell(msg.OfferHandshake("bob", answer))  # planted
    forwarding._host.forwarding.tell(msg.WentOffline())  # planted
    registration._forwarding.tell(msg.SendText("bob", "hi", Future()))  # planted
    handshake._forwarding.tell(msg.AcknowledgeNow())  # planted
    forwarding_node._io.tell(msg.DropRoute(None))  # planted
    lookup_node._io.tell(msg.Tick())  # planted
    registration_node._forwarding.tell(msg.NoticesDue())  # planted
    lookup.tell_self(msg.Tick())  # planted
    client.lookup.tell(msg.GoOnline(answer))  # planted
    client.handshake.tell(msg.Tick())  # planted
    node.lookup.tell(msg.Tick())  # planted
    to_lookup: Tellable[msg.Resolve] = client.forwarding  # planted
    to_forwarding: Tellable[msg.WentOnline] = client.registration  # planted
    handlers: dict[type[m.Tell], Tellable[msg.TellArrived]] = {m.Deliver: client.lookup}  # planted


def accepted(client: ClientGraph, lookup: LookupClient, forwarding: ForwardingClient, answer: Future[None]) -> None:
    """What the product does, so that a refusal above means something."""
    client.registration.tell(msg.GoOnline(answer))
    client.lookup.tell(msg.FindContact("bob", answer))
    forwarding._host.registration.tell(msg.RouteDoubted())
    lookup._io.tell(msg.SendRequest(m.Lookup(b"", 2, "bob"), client.lookup))
    to_lookup: Tellable[msg.Resolve] = client.lookup
'''


@dataclass(frozen=True)
class Receiver:
    """An actor class: its file, and the last named case of its `receive`."""

    path: Path
    name: str
    case: ast.match_case
    default: ast.match_case | None


def receivers() -> Iterator[Receiver]:
    """Every actor class in actors/."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or not any(
                ast.unparse(base).startswith("Actor[") for base in node.bases
            ):
                continue
            receive = next(part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "receive")
            match = next(part for part in receive.body if isinstance(part, ast.Match))
            named = [case for case in match.cases if ast.unparse(case.pattern) != "_"]
            default = next((case for case in match.cases if ast.unparse(case.pattern) == "_"), None)
            yield Receiver(path, node.name, named[-1], default)


RECEIVERS: Final = tuple(receivers())


def mypy(shadows: dict[Path, str], folder: Path, *arguments: str) -> list[tuple[str, int, str]]:
    """The errors that mypy reports with these texts instead of these files: file, line, text."""
    command = [sys.executable, "-Im", "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "planted"), *arguments]
    for number, (path, text) in enumerate(shadows.items()):
        shadow = folder / f"shadow_{number}.py"
        shadow.write_text(text, encoding="utf-8")
        command += ["--shadow-file", f"usernym/{path.relative_to(ROOT)}", str(shadow)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found = re.findall(r"^(.+?):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    return [(Path(file).as_posix(), int(line), text) for file, line, text in found]


def test_every_actor_is_looked_at() -> None:
    names = {receiver.name for receiver in RECEIVERS}
    graphs = (ACTORS / "graphs.py").read_text(encoding="utf-8")
    assert names == _wired(graphs)
    assert len(names) == len(RECEIVERS)


def _wired(graphs: str) -> set[str]:
    """The actor classes that the wirings make."""
    imported = re.findall(r"^from usernym\.actors\.\w+\.\w+ import (.*)$", graphs, re.MULTILINE)
    classes = {name.strip() for names in imported for name in names.split(",")}
    return {name for name in classes if re.search(rf"\b{name}\(", graphs)} - {"Dispatch"}


@pytest.mark.seconds
def test_a_forgotten_message_is_refused_in_every_actor(tmp_path: Path) -> None:
    shadows: dict[Path, str] = {}
    for receiver in RECEIVERS:
        lines = receiver.path.read_text(encoding="utf-8").splitlines()
        first, last = receiver.case.pattern.lineno, receiver.case.body[-1].end_lineno
        assert last is not None
        shadows[receiver.path] = "\n".join([*lines[: first - 1], *[""] * (last - first + 1), *lines[last:]]) + "\n"
    errors = mypy(shadows, tmp_path, "-p", "usernym.actors")
    for receiver in RECEIVERS:
        assert receiver.default is not None, f"{receiver.name}: no last case"
        file, line = f"usernym/{receiver.path.relative_to(ROOT)}", receiver.default.body[0].lineno
        forgotten = [text for where, at, text in errors if (where, at) == (file, line)]
        assert any('Argument 1 to "assert_never"' in text for text in forgotten), (receiver.name, errors)


@pytest.mark.seconds
def test_wrong_tells_are_refused(tmp_path: Path) -> None:
    snippet = tmp_path / "nonsense.py"
    snippet.write_text(NONSENSE, encoding="utf-8")
    wrong = {number for number, line in enumerate(NONSENSE.splitlines(), 1) if line.endswith(PLANTED)}
    errors = [error for error in mypy({}, tmp_path, str(snippet)) if error[0].endswith("nonsense.py")]
    refused = {line for _, line, text in errors if "incompatible type" in text or "Incompatible types" in text
               or "Dict entry" in text}  # fmt: skip
    assert refused == wrong
    assert {line for _, line, _ in errors} == wrong, "nothing else is wrong with it"


@pytest.mark.seconds
def test_no_collaborator_takes_anything_at_all(tmp_path: Path) -> None:
    """At each parameter that is a reference or a `Tellable`, a tell of an arbitrary object is planted."""
    shadows, planted = {}, set()
    for path in SOURCES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for function in sorted(_functions(lines), key=lambda found: -found.body[0].lineno):
            told = [
                parameter.arg
                for parameter in (*function.args.args, *function.args.kwonlyargs)
                if parameter.annotation is not None
                and re.match(r"(Tellable|Ref)\[", ast.unparse(parameter.annotation))
                and not re.search(r"\b[MC]\b", ast.unparse(parameter.annotation))
            ]
            at = function.body[0].lineno - 1
            if told:
                # On one line, so that the lines above keep their numbers and those below move evenly.
                lines.insert(
                    at, " " * function.body[0].col_offset + "; ".join(f"{name}.tell(object())" for name in told)
                )
                shadows[path] = ""
                planted.add((path, function.name, len(told)))
        if path in shadows:
            shadows[path] = "\n".join(lines) + "\n"
    errors = [error for error in mypy(shadows, tmp_path, "-p", "usernym.actors") if '"object"; expected' in error[2]]
    assert len(errors) == sum(count for *_, count in planted)
    # Mixnet I/O finds its collaborators in a `Dispatch`, and the directory has none.
    assert len(planted) >= len(RECEIVERS) - 2


def _functions(lines: list[str]) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ACTORS)))
def test_no_reference_is_untyped(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(
        r"\b(Ref|Tellable)\[(Any|object)\]|\b(io|lookup|forwarding|handshake|registration): Any\b", text
    )
