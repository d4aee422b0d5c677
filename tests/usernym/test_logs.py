"""Log lines: their form, and that no name, text, tag, key or word gets into one, whatever happens."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from usernym import log as logs
from usernym.actors import messages as msg
from usernym.actors.lookup.node import LookupNode
from usernym.logger import logger
from usernym.testing.world import World

NAMES = ("quetzalcoatl_sender", "xochipilli_reader")
TEXTS = ("a-text-that-nobody-may-log", "and-one-that-goes-directly")
PASSPHRASE = "the-passphrase-of-this-story"


class Lines(logging.Handler):
    """Collects what the formatter makes of each record."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(params=[logs.JsonLines, logs.TextLines])
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    handler = Lines(request.param())
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    yield handler.lines
    logger.manager._clear_cache()  # type: ignore[attr-defined]


def record_of(name: str, message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(name, logging.WARNING, "/some/where/place.py", 7, message, arguments, info, "work")


def test_a_json_line_is_one_object_with_its_fields() -> None:
    record = record_of("usernym", "%s: %d refused\nnext", "lookup", 3)
    record.__dict__ |= logs.fields(sequence=4)
    line = logs.JsonLines().format(record)
    told = json.loads(line)
    assert "\n" not in line
    assert line.isascii()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {"level": "warning", "thread": "MainThread", "message": "lookup: 3 refused\nnext", "sequence": 4}


def test_a_text_line_is_one_line_whatever_is_in_it() -> None:
    line = logs.TextLines().format(record_of("usernym", "a\nb\x1b[2J"))
    assert line.endswith("WARNING a\\x0ab\\x1b[2J")


@pytest.mark.parametrize("formatter", [logs.JsonLines(), logs.TextLines()])
def test_a_traceback_has_places_and_types_but_no_text(formatter: logging.Formatter) -> None:
    def fail(secret: str) -> None:
        try:
            raise KeyError(secret)
        except KeyError as inner:
            raise ValueError(f"no such user: {secret}") from inner

    try:
        fail(NAMES[0])
    except ValueError as error:
        error.add_note(NAMES[0])
        line = formatter.format(record_of("usernym", "a bug", error=error))
    assert NAMES[0] not in line
    assert line.index("KeyError") < line.index("ValueError")
    assert "usernym/test_logs.py:" in line


@pytest.mark.parametrize("formatter", [logs.JsonLines(), logs.TextLines()])
def test_a_librarys_message_is_not_shown_but_its_place(formatter: logging.Formatter) -> None:
    line = formatter.format(record_of("websockets.client", "received %s", TEXTS[0]))
    assert TEXTS[0] not in line
    assert "websockets.client" in line
    assert "where/place.py:7 in work" in line


def test_a_recursion_makes_no_endless_line() -> None:
    def deeper(level: int) -> int:
        return deeper(level + 1)

    with pytest.raises(RecursionError) as caught:
        deeper(0)
    assert len(logs.places_of(caught.value)) == logs.FRAMES_MAX + 1


def test_a_bug_while_a_name_is_handled_logs_no_name(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    alice = world.client("alice")

    def fail(self: LookupNode, message: Any) -> None:
        raise RuntimeError(f"can't look up {message.frame.message.name} for {message.tag!r}")

    monkeypatch.setattr(LookupNode, "receive", fail)
    alice.begin(alice.graph.lookup, lambda answer: msg.FindContact(NAMES[0], answer))
    world.settle(3)
    bugs = [line for line in lines if "a bug while handling RequestArrived" in line]
    assert bugs
    assert all("RuntimeError" in line and NAMES[0] not in line and "\\x" not in line for line in bugs)


THREAD_FAILS = """
import logging, threading
from usernym import log as logs
logs.set_up("debug", "json")
def fail():
    raise ValueError("the-name-in-it")
thread = threading.Thread(target=fail, name="worker")
thread.start(); thread.join()
logging.getLogger("asyncio").error("never retrieved: %s", "the-name-in-it", exc_info=ValueError("the-name-in-it"))
logging.getLogger("asyncio").info("no one needs this")
"""


@pytest.mark.processes
def test_what_ends_a_thread_and_what_libraries_say_comes_as_json_too() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", THREAD_FAILS], capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [each["level"] for each in told] == ["error", "error"]
    assert told[0]["ended"] == "worker"
    assert told[0]["exception"][-1] == told[1]["exception"][-1] == "ValueError"
    assert "the-name-in-it" not in done.stderr


# -- a whole story ----------------------------------------------------------------------------------------------------


@pytest.mark.processes
def test_a_whole_story_at_debug_logs_none_of_its_names_texts_keys_or_addresses(terminal: Any) -> None:
    """Registration, lookups, refusals, messages, a handshake, a killed mixnet client, a restarted node."""
    logged = LoggingTerminal(terminal)
    mixnet = logged.start("mixnet", "mixnet", "--first-port", "0", "--clients", "3", "--hop-delay", "0.005")
    ready = mixnet.wait_for("that it is ready", lambda told: told.get("event") == "ready")
    urls = [client["mixnet"] for client in ready["clients"]]
    node = logged.start("node", "--home", "node", "node", "run", "--mixnet", urls[0])
    card = logged.ok("card", "--home", "node", "node", "card")["card"]
    words = []
    for name, url in zip(NAMES, urls[1:], strict=True):
        told = logged.ok(f"register-{name}", "--home", name, "register", name, "--mixnet", url, "--node", card)
        words.append(told["recovery_words"])
    logged.run("refused", "--home", NAMES[0], "lookup", "nobody_of_this_name")
    listener = logged.start("listener", "--home", NAMES[1], "listen")
    listener.wait_for("that it is connected", lambda told: told.get("online") is True)
    logged.ok("send", "--home", NAMES[0], "send", NAMES[1], TEXTS[0], "--wait", "delivered")
    logged.ok("offer", "--home", NAMES[0], "handshake", NAMES[1])
    logged.ok("accept", "--home", NAMES[1], "handshake", NAMES[0], "--accept")
    logged.ok("direct", "--home", NAMES[0], "send", NAMES[1], TEXTS[1])
    for command in ({"do": "kill", "client": 0}, {"do": "kill", "client": 2}):
        terminal.ask_emulator(ready["control_port"], command)
    terminal.interrupt(node)
    logged.start("node-again", "--home", "node", "node", "run").wait_for("it is up", lambda t: t.get("event") == "up")
    terminal.interrupt(listener)

    forbidden = [*NAMES, *TEXTS, *words, PASSPHRASE, "nobody_of_this_name", card, card.partition(":")[2][:40]]
    forbidden += [client["address"] for client in ready["clients"]]
    forbidden += [part for client in ready["clients"] for part in re.split("[.@]", client["address"])]
    everything = logged.lines()
    for kind in ("the node has started", "the mixnet client is not there", "refused what a peer sent", "has stopped"):
        assert any(kind in line for line in everything), f"{kind}: or nothing was logged at all"
    for line in everything:
        assert not [word for word in forbidden if word in line], line
        assert not re.search(r"[0-9a-f]{32}|\\x[0-9a-f]{2}\\x", line), "bytes of a tag, an id or a key"
        assert set(json.loads(line)) >= {"time", "level", "message"}


class LoggingTerminal:
    """Types commands at `--log-level debug`, and keeps what each logged."""

    def __init__(self, terminal: Any) -> None:
        self._terminal = terminal
        self._logs: list[Path] = []
        self._options = ("--log-level", "debug", "--log-format", "json")

    def _log(self, name: str) -> Any:
        self._logs.append(self._terminal.folder / f"{name}.log")
        return self._logs[-1].open("w")

    def start(self, name: str, *arguments: str) -> Any:
        with self._log(name) as log:
            return self._terminal.start(name, *self._options, *arguments, stderr=log, USERNYM_PASSPHRASE=PASSPHRASE)

    def run(self, name: str, *arguments: str) -> Any:
        done = self._terminal.run("--json", *self._options, *arguments, USERNYM_PASSPHRASE=PASSPHRASE)
        with self._log(name) as log:
            log.write(done.stderr)
        return done

    def ok(self, name: str, *arguments: str) -> Any:
        done = self.run(name, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def lines(self) -> list[str]:
        """What was logged; without what commands say to the person in front of them."""
        lines = [line for log in self._logs for line in log.read_text().splitlines()]
        return [line for line in lines if line.startswith("{")]
