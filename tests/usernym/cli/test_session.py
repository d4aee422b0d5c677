"""The command line as people use it: real processes, several at once, on an emulated mixnet."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from usernym.cli.failures import CommandFailed
from usernym.cli.signals import Interruptions
from usernym.demo import proof
from usernym.demo.processes import Processes

pytestmark = pytest.mark.processes

SESSION = """
set -eu
trap 'kill $(jobs -p); wait' EXIT
usernym mixnet --first-port {port} --clients 3 > mixnet.txt &
usernym --home n node run --mixnet ws://127.0.0.1:{port} > node.txt &
usernym --home n node card > node.card
export USERNYM_PASSPHRASE="correct horse"
usernym --home a register alice --mixnet ws://127.0.0.1:{alice} --node node.card > register.txt
usernym --home b register bob   --mixnet ws://127.0.0.1:{bob} --node node.card > /dev/null
usernym --home a lookup bob --json > lookup.json
usernym --home a send bob "hello" > send.txt
usernym --home b listen --json --for 10s > listen.json
usernym --home a handshake bob > offer.txt 2> offer.err
usernym --home b handshake alice --accept > accept.txt 2> accept.err
"""


def test_the_session_of_the_readme_as_it_stands(tmp_path: Path, free_ports: int) -> None:
    folder = tmp_path / "some folder"
    folder.mkdir()
    script = SESSION.format(port=free_ports, alice=free_ports + 1, bob=free_ports + 2)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    def shown(name: str) -> str:
        return (folder / name).read_text()

    assert done.returncode == 0, done.stderr
    assert shown("node.card").startswith("usernym-node:")
    assert "12. " in shown("register.txt")
    bob = json.loads(shown("lookup.json"))
    assert (bob["name"], bob["trust"]) == ("bob", "confirmed by the node")
    assert len(bob["safety_number"].split()) == 12
    assert shown("send.txt").startswith("accepted by the node")
    told = [json.loads(line) for line in shown("listen.json").splitlines()]
    messages = [event for event in told if event["event"] == "message"]
    assert [(event["from"], event["text"], event["route"]) for event in messages] == [("alice", "hello", "node")]
    assert "gateway" in shown("offer.err")
    assert "not verified" in shown("offer.err")
    assert shown("offer.txt").startswith("offered your address to bob")
    assert shown("accept.txt").startswith("accepted the handshake with alice")
    assert not (tmp_path / ".local").exists()


def commands(shell: str) -> list[str]:
    """The commands in a piece of shell, without what is around them."""
    lines = [line.partition("#")[0].partition(">")[0].strip(" &") for line in shell.splitlines()]
    return [" ".join(line.split()) for line in lines if line.startswith("usernym ")]


def test_that_session_is_the_one_on_the_page_of_commands() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text()
    (block,) = [block for block in page.split("```") if "usernym --home b listen" in block]
    played = commands(SESSION.format(port=1977, alice=1978, bob=1979))
    assert len(played) == 10
    assert commands(block) == played[:-1]
    assert f"Bob: {played[-1]}" in block


def message(text: str) -> Any:
    return lambda told: told.get("event") == "message" and told["text"] == text


def connected(told: dict[str, Any]) -> bool:
    return told.get("event") == "connection" and told["online"] is True


def test_a_second_command_hands_its_work_to_the_one_that_listens(network: Any) -> None:
    terminal = network.terminal
    ann, ben = network.user("ann"), network.user("ben")
    alone = terminal.ok("--home", ann, "lookup", ben)
    of_ann = terminal.start(ann, "--home", ann, "listen")
    of_ben = terminal.start(ben, "--home", ben, "listen")
    for listener in (of_ann, of_ben):
        listener.wait_for("that it is connected", connected)

    # The holder has unlocked the home: no passphrase is asked for, and the output is the same as alone.
    handed = terminal.run("--json", "--home", ann, "lookup", ben, USERNYM_PASSPHRASE="")
    assert handed.returncode == 0, handed.stderr
    assert json.loads(handed.stdout) == alone

    sent = terminal.ok("--home", ann, "send", ben, "from another terminal", "--wait", "delivered")
    assert (sent["state"], sent["route"]) == ("delivered", "node")
    came = of_ben.wait_for("the message", message("from another terminal"))
    assert (came["from"], came["counter"], came["missing"], came["request"]) == ("ann", 1, 0, False)
    of_ann.wait_for(
        "the delivery",
        lambda told: (told.get("event"), told.get("id"), told.get("state")) == ("delivery", sent["id"], "delivered"),
    )

    refused = terminal.run("--json", "--home", ann, "lookup", "nobody_of_this_name")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"] == "no_such_user"

    second = terminal.run("--json", "--home", ann, "listen")
    assert second.returncode == 4
    assert f"process {of_ann.process.pid} (client)" in json.loads(second.stdout)["text"]

    assert terminal.interrupt(of_ann) == 0
    assert terminal.ok("--home", ann, "whoami")["name"] == "ann"
    of_ben.process.send_signal(signal.SIGTERM)
    assert of_ben.process.wait(60) == 0


def test_garbage_on_the_socket_of_a_listener_changes_nothing(network: Any) -> None:
    terminal = network.terminal
    cas = network.user("cas")
    listener = terminal.start(cas, "--home", cas, "listen")
    listener.wait_for("that it is connected", connected)
    for garbage in (b"\0" * 100, b"{}\n", b'{"version":1,"timeout":1,"command":{"do":"node card"}}\n', b"half a line"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(terminal.folder / cas / "control.sock"))
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(60)
            assert b"result" not in connection.recv(4096)
    assert terminal.ok("--home", cas, "whoami")["name"] == "cas"
    assert listener.process.poll() is None
    terminal.interrupt(listener)


def test_a_taken_name_is_refused_and_the_home_is_free_for_another(network: Any) -> None:
    terminal = network.terminal
    network.user("dora")
    mixnet = network.mixnet()
    for name, kind in (("dora", "name_taken"), ("d0ra", "name_looks_alike")):
        refused = terminal.run("--json", "--home", "late", "register", name, "--mixnet", mixnet, "--node", "node.card")
        assert refused.returncode == 1
        assert json.loads(refused.stdout.splitlines()[-1])["error"] == kind  # the words stand before it
    told = terminal.ok("--home", "late", "register", "edda", "--mixnet", mixnet, "--node", "node.card")
    assert (told["name"], told["registered"]) == ("edda", True)
    assert len(told["recovery_words"].split()) == 12
    again = terminal.ok("--home", "late", "register", "Edda")
    assert (again["name"], again["recovery_words"]) == ("edda", None)
    assert terminal.ok("--home", "late", "login")["online"] is True


def test_two_nodes_on_one_home_and_a_node_that_remembers_its_mixnet(network: Any) -> None:
    terminal = network.terminal
    first = terminal.start("second-node", "--home", "n2", "node", "run", "--mixnet", network.mixnet())
    card = terminal.ok("--home", "n2", "node", "card")["card"]
    second = terminal.run("--json", "--home", "n2", "node", "run")
    assert second.returncode == 4
    told = json.loads(second.stdout)
    assert told["error"] == "home_in_use"
    assert f"process {first.process.pid} (node)" in told["text"]
    wrong_kind = terminal.run("--json", "--home", "n2", "contacts")
    assert (wrong_kind.returncode, json.loads(wrong_kind.stdout)["error"]) == (2, "settings")
    assert terminal.interrupt(first) == 0

    again = terminal.start("second-node", "--home", "n2", "node", "run")
    up = again.wait_for("that it is up", lambda told: told.get("event") == "up")
    assert up["card"] == card
    status = terminal.ok("--home", "n2", "node", "status")
    assert (status["mixnet_up"], status["accounts"], status["messages_waiting"]) == (True, 0, 0)
    assert set(status["counters"]) >= {"registration", "lookup", "forwarding"}


def test_what_came_is_shown_once_and_steers_no_terminal(network: Any) -> None:
    terminal = network.terminal
    fay, gus = network.user("fay"), network.user("gus")
    text = "\x1b[2Jred\x07\u202e\r\n[now] fay: send me your words"
    terminal.ok("--home", fay, "send", gus, text)
    listener = terminal.start(gus, "--home", gus, "listen")
    assert listener.wait_for("the message", message(text))["from"] == "fay"
    terminal.interrupt(listener)

    listener = terminal.start(gus, "--home", gus, "listen")
    listener.wait_for("that it is connected", connected)
    terminal.ok("--home", fay, "send", gus, "the second")
    listener.wait_for("the message", message("the second"))
    terminal.interrupt(listener)
    assert not [told for told in listener.printed if told.get("text") == text]

    terminal.ok("--home", fay, "send", gus, text + " again")
    lines = terminal.read_until("send me your words again", "--home", gus, "listen")
    assert "\\x1b[2Jred\\x07\\u202e" in lines[-2]
    assert lines[-1] == "    | [now] fay: send me your words again\n"
    assert "\x1b" not in "".join(lines)


def shown(terminal: Any, columns: int, *command: str) -> list[str]:
    """The rows that a real terminal of this width shows of a command's output, which is ASCII here."""
    controller, tty = pty.openpty()
    termios.tcsetwinsize(tty, (50, columns))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "usernym.cli", *command],
        cwd=terminal.folder,
        env=terminal.environment(),
        stdin=subprocess.DEVNULL,
        stdout=tty,
        stderr=subprocess.DEVNULL,
    )
    os.close(tty)
    printed = b""
    with contextlib.suppress(OSError):  # so a terminal ends
        while part := os.read(controller, 65_536):
            printed += part
    os.close(controller)
    assert process.wait(60) == 0
    lines = printed.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
    return [line[at : at + columns] for line in lines for at in range(0, max(len(line), 1), columns)]


@pytest.mark.parametrize("columns", [40, 80, 133])
def test_no_command_shows_a_texts_words_where_its_own_lines_begin(network: Any, columns: int) -> None:
    """Blanks up to the edge of the terminal, for whatever stands before the text, and then a line of the program."""
    terminal = network.terminal
    jan, kim = (network.user(f"{name}_{columns}") for name in ("jan", "kim"))
    fake = "[2027-01-15 09:01] kim: wire it"
    rows = [(fake + " " * columns)[: columns - 1 - at % 2] for at in range(columns)]
    terminal.ok("--home", jan, "send", kim, "ok" + " ".join(rows))
    for command in (("listen", "--for", "3s"), ("history", jan), ("search", "wire")):
        first, *others = [row for row in shown(terminal, columns, "--home", kim, *command) if row[:2] != "* "]
        assert jan in first
        assert others
        assert all(other.startswith("    | ") for other in others), others


def test_a_handshake_between_two_who_listen_and_back(network: Any) -> None:
    terminal = network.terminal
    hal, ida = network.user("hal"), network.user("ida")
    listeners = {name: terminal.start(name, "--home", name, "listen") for name in (hal, ida)}
    for listener in listeners.values():
        listener.wait_for("that it is connected", connected)

    none = terminal.run("--json", "--home", hal, "handshake", ida, "--revoke")
    assert (none.returncode, json.loads(none.stdout)["error"]) == (1, "handshake_not_possible")

    offered = terminal.run("--json", "--home", hal, "handshake", ida)
    assert offered.returncode == 0
    assert offered.stderr.count("Warning") == 2
    assert json.loads(offered.stdout)["handshake"] == "offered"
    listeners[ida].wait_for("the offer", lambda told: told.get("state") == "offer received")

    number = terminal.ok("--home", hal, "lookup", ida)["safety_number"]
    wrong = terminal.run("--json", "--home", ida, "verify", hal, "--number", f"{(int(number[0]) + 1) % 10}{number[1:]}")
    assert (wrong.returncode, json.loads(wrong.stdout)["error"]) == (1, "safety_number_differs")
    assert terminal.ok("--home", ida, "verify", hal, "--number", number)["trust"] == "verified"
    accepted = terminal.run("--json", "--home", ida, "handshake", hal, "--accept", "--direct-only")
    assert accepted.returncode == 0
    assert accepted.stderr.count("Warning") == 1
    told = json.loads(accepted.stdout)
    assert (told["handshake"], told["outcome"], told["direct_only"]) == ("active", "delivered", True)
    listeners[hal].wait_for("that it is active", lambda told: told.get("state") == "active")

    before = terminal.ok("--home", "node", "node", "status")["counters"]["forwarding"].get("forwards", 0)
    for sender, recipient in ((hal, ida), (ida, hal)):
        sent = terminal.ok("--home", sender, "send", recipient, f"direct from {sender}", "--wait", "delivered")
        assert (sent["state"], sent["route"]) == ("delivered", "direct")
        assert listeners[recipient].wait_for("it", message(f"direct from {sender}"))["route"] == "direct"
    assert terminal.ok("--home", "node", "node", "status")["counters"]["forwarding"].get("forwards", 0) == before

    assert terminal.ok("--home", hal, "handshake", ida, "--revoke")["handshake"] == "ended by me"
    listeners[ida].wait_for("that it has ended", lambda told: told.get("state") == "ended by peer")
    shown = terminal.ok("--home", ida, "contacts")["contacts"]
    assert [(contact["name"], contact["trust"], contact["handshake"]) for contact in shown] == [
        ("hal", "verified", "ended by peer")
    ]
    for listener in listeners.values():
        terminal.interrupt(listener)


def test_the_demo_tells_its_story_and_leaves_nothing_behind(tmp_path: Path, terminal: Any) -> None:
    done = terminal.run("--json", "demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    lines = [line["text"] for line in told if line["event"] == "line"]
    assert sum("through the node)" in line for line in lines) == 3
    assert sum("(delivered, directly)" in line for line in lines) == 2
    assert sum(line.startswith("none of the 5 texts and none of the clients' 3 addresses") for line in lines) == 2
    assert any("NO ANONYMITY" in line for line in lines)
    packets = [step["packets"] for step in told if step["event"] == "packets"]
    assert {"up": 1, "down": 1} in [step["alice"] for step in packets]
    assert any(step["node"] == {"up": 0, "down": 0} and step["alice"]["up"] for step in packets)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_all_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-P", "-m", "usernym.cli", "demo"],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    assert any("Bob registers" in line for line in demo.stdout)
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


def processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder, or in one below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink().as_posix().startswith(str(folder)):
                    found.append(entry.name)
    return found


def test_the_demo_fails_when_a_step_does_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    haystacks = [proof.Haystack("node.db", b"...hello...")]
    with pytest.raises(CommandFailed, match=r"has a message's text as it is, in node\.db"):
        proof.must_be_absent(haystacks, "a message's text", proof.forms_of_text("hello"))
    with pytest.raises(CommandFailed, match="does not even find"):
        proof.must_be_found(haystacks, "a name", b"alice")
    monkeypatch.setattr("usernym.demo.processes.STEP_S", 20.0)
    with Interruptions() as interruptions, Processes(tmp_path, interruptions) as processes:
        with pytest.raises(CommandFailed, match="ended with 4 instead of 0"):
            processes.run("whoami", home="nobody")
        mixnet = processes.start("mixnet", "mixnet", "--first-port", "0", "--hop-delay", "0.005")
        mixnet.wait_for("that it is ready", lambda told: told.get("event") == "ready")
    assert mixnet.process.returncode is not None
    with pytest.raises(CommandFailed, match="did not report anything, and has ended"):
        mixnet.wait_for("anything", lambda told: False)


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_text_is_found_in_base64_wherever_it_begins(shift: int) -> None:
    haystack = proof.Haystack("x", base64.b64encode(b"a" * shift + b"Hello Bob, it is me" + b"zz"))
    with pytest.raises(CommandFailed):
        proof.must_be_absent([haystack], "a text", proof.forms_of_text("Hello Bob, it is me"))
