"""Real processes to be killed: a mixnet, a node, clients; and what must be true of them afterwards.

The mixnet is a parameter: `NETWORKS` names the kinds, CRASH_NETWORK in the environment chooses one.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

import usernym
from tests.helpers.crash_client import text_of
from tests.helpers.crash_nym import LocalNymNetwork, NymInProcesses
from tests.helpers.ports import free_ports
from usernym import control
from usernym.cli.command import Deadline
from usernym.cli.failures import CommandFailed
from usernym.cli.node import CardCommand, StatusCommand
from usernym.cli.session import ask_holder
from usernym.demo.processes import Running
from usernym.node_check import check_store
from usernym.protocol.cards import parse_card
from usernym.protocol.names import skeleton
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import DeliveryState, Direction
from usernym.storage.node.store import NodeStore

START_S = 60.0
END_S = 30.0
CLIENT = Path(__file__).with_name("crash_client.py")


def environment() -> dict[str, str]:
    """No one's own settings."""
    return {key: value for key, value in os.environ.items() if not key.startswith("USERNYM_")}


def usernym_command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "usernym.cli", "--json", *arguments]


class KillableNetwork(Protocol):
    """A mixnet whose process can be killed and started again."""

    control_port: int | None

    def __init__(self, folder: Path, clients: int) -> None: ...

    def start(self) -> None:
        """Start it (again), with the same mixnet clients; returns when they can be used."""

    def mixnet(self, number: int) -> str:
        """What is given to `--mixnet` for client `number`."""

    def kill(self) -> None:
        """`kill -9`."""

    def stop(self) -> int:
        """End it in order; the exit code."""


class EmulatorNetwork:
    """`usernym mixnet` on ports that stay the same."""

    def __init__(self, folder: Path, clients: int) -> None:
        self._folder = folder
        self._clients = clients
        self._first = free_ports(clients + 1) + 1
        self.control_port: int | None = self._first - 1
        self._process: Running | None = None

    def start(self) -> None:
        """See `KillableNetwork`."""
        arguments = ("mixnet", "--first-port", str(self._first), "--clients", str(self._clients), "--seed", "7")
        self._process = start("mixnet", self._folder, usernym_command(*arguments))
        self._process.wait_for("that it is ready", lambda told: told.get("event") == "ready")

    def mixnet(self, number: int) -> str:
        """See `KillableNetwork`."""
        return f"ws://127.0.0.1:{self._first + number}"

    def kill(self) -> None:
        """See `KillableNetwork`."""
        assert self._process is not None
        kill(self._process)

    def stop(self) -> int:
        """See `KillableNetwork`."""
        assert self._process is not None
        return stop(self._process)


NETWORKS: dict[str, Callable[[Path, int], Any]] = {
    "emulator": EmulatorNetwork,
    "nym-client": lambda folder, clients: LocalNymNetwork(folder, clients, free_ports(clients + 1) + 1),
    "nym": lambda folder, clients: NymInProcesses(folder, clients, free_ports(2) + 1),
}
"""Kinds of networks, by their names: each takes a folder for its logs and how many mixnet clients there are to be."""


def chosen_network() -> Callable[[Path, int], Any]:
    """As the environment says; the emulator if it says nothing."""
    return NETWORKS[os.environ.get("CRASH_NETWORK", "emulator")]


def start(name: str, folder: Path, command: list[str], file_bytes_max: int | None = None) -> Running:
    """Start a process that prints JSON; its log goes to NAME.log. `file_bytes_max` is its RLIMIT_FSIZE."""

    with (log_file := folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            text=True,
        )  # fmt: skip
    if file_bytes_max is not None:
        limit_files(process.pid, file_bytes_max)
    return Running(name, process, log_file)


def limit_files(pid: int, size_bytes: int) -> None:
    """Let no file of a process grow beyond this; -1 takes the limit away."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, -1))


def kill(running: Running) -> None:
    """`kill -9`, and wait for the end."""
    running.process.kill()
    running.process.wait()
    running.end()


def stop(running: Running) -> int:
    """SIGTERM; the exit code."""
    running.process.send_signal(signal.SIGTERM)
    code = running.process.wait(END_S)
    running.end()
    return code


class Crowd:
    """A mixnet, a node, and clients who all write to each other. Leaving the context ends everything."""

    def __init__(
        self, folder: Path, names: list[str], network: Any = None, database: Any = None, workers: int = 1
    ) -> None:
        """`database`: a `PostgresServer` for the node's store, which may have several `workers` then."""
        self.folder = folder
        self.names = names
        self.network = network or chosen_network()(folder, len(names) + workers)
        self.nodes: dict[str, Running] = {}
        self.workers = ["node", *(f"node-{number}" for number in range(2, workers + 1))]
        self.card = ""
        self.lives: dict[str, list[Running]] = {name: [] for name in names}
        self.mixnets = {name: self.network.mixnet(number) for number, name in enumerate(names, start=workers)}
        self.node_file_bytes_max: int | None = None
        self.node_folder = folder / "node"
        self.database = database
        self.store = None if database is None else database.new_database()

    def __enter__(self) -> Self:
        self.network.start()
        return self

    def __exit__(self, *_: object) -> None:
        for lives in self.lives.values():
            for life in lives:
                life.process.kill()
                life.end()
        for node in self.nodes.values():
            node.process.kill()
            node.end()
        self.network.kill()

    # -- starting and killing --

    @property
    def node(self) -> Running:
        """The node's process, or the first of its workers."""
        return self.nodes["node"]

    def start_node(self, worker: str = "node") -> None:
        """Start the node, or one of its workers, and wait until it is up."""
        mixnet = self.network.mixnet(self.workers.index(worker))
        home = self.node_folder if worker == "node" else self.folder / worker
        command = usernym_command("--home", str(home), "node", "run", "--mixnet", mixnet)
        if self.store is not None:
            command += ["--store", self.store]
        self.nodes[worker] = node = start(worker, self.folder, command, self.node_file_bytes_max)
        if not self.card:
            self.card = node.wait_for("that it is up", lambda told: told.get("event") == "up")["card"]

    def wait_for_card(self, addresses: int) -> None:
        """Wait until the node's card has so many addresses; clients are given that one."""
        end = time.monotonic() + START_S
        while len(parse_card(self.card).addresses) < addresses:
            assert time.monotonic() < end
            time.sleep(0.5)
            with contextlib.suppress(control.NoHolder, control.HolderBusy, control.HolderGone, CommandFailed):
                self.card = ask_holder(self.node_folder, CardCommand(), Deadline(5.0)).card

    def drain(self, worker: str) -> int:
        """`usernym node drain`, and the end of the worker; how many users were left."""
        command = usernym_command("--home", str(self.folder / worker), "--timeout", "60s", "node", "drain")
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
        node = self.nodes.pop(worker)
        assert node.process.wait(END_S) == 0
        node.end()
        routes: int = json.loads(done.stdout)["routes"]
        return routes

    def start_client(self, name: str) -> None:
        """Start a client; it goes online by itself."""
        peers = ",".join(peer for peer in self.names if peer != name)
        arguments = [name, name, self.mixnets[name], self.card, peers]
        command = [sys.executable, "-I", str(CLIENT), *arguments]
        self.lives[name].append(start(name, self.folder, command))

    def start_all(self) -> None:
        """The node, then the clients; returns when all are online."""
        for worker in self.workers:
            self.start_node(worker)
        self.wait_for_card(len(self.workers))
        for name in self.names:
            self.start_client(name)
        for name in self.names:
            self.lives[name][-1].wait_for("that it is online", lambda told: "online" in told)

    def kill_and_restart(self, victim: str, pause_s: float) -> None:
        """`kill -9` of "node", another worker, "mixnet" or a client, or an immediate stop of "database"; and after a
        pause its next life."""
        if victim == "database":
            self.database.stop()
            time.sleep(pause_s)
            self.database.start()
        elif victim == "mixnet":
            self.network.kill()
            time.sleep(pause_s)
            self.network.start()
        elif victim in self.workers:
            kill(self.nodes[victim])
            time.sleep(pause_s)
            self.start_node(victim)
        else:
            kill(self.lives[victim][-1])
            time.sleep(pause_s)
            self.start_client(victim)

    # -- the end --

    def sent(self) -> int:
        """Texts that were reported to be on their senders' disks."""
        return sum("sent" in told for lives in self.lives.values() for life in lives for told in life.printed)

    def shown(self) -> int:
        """Texts shown so far, each time."""
        return sum("shown" in told for lives in self.lives.values() for life in lives for told in life.printed)

    def wait_until_shown(self, texts: int, within_s: float) -> None:
        """Wait until so many texts were shown."""
        end = time.monotonic() + within_s
        while (shown := self.shown()) < texts:
            self.check_alive()
            assert time.monotonic() < end, f"{shown} texts were shown after {within_s:g} seconds, not {texts}"
            time.sleep(0.1)

    def check_alive(self) -> None:
        """Raise if a process has ended that no one ended."""
        lives = {name: lives[-1] for name, lives in self.lives.items() if lives}
        lives |= self.nodes
        for name, life in lives.items():
            if life.process.poll() is not None:
                raise AssertionError(f"{name} {life.how_ended()}")

    def be_quiet(self) -> float:
        """Let no one write any more; the time."""
        for name in self.names:
            (self.folder / f"{name}.quiet").touch()
        return time.time()

    @contextlib.contextmanager
    def honest_pair(self, patience_s: float) -> Iterator[tuple[usernym.Client, usernym.Client]]:
        """Ann and Bob in this process, online, who have written to each other before."""
        with contextlib.ExitStack() as stack:
            ann, bob = (
                stack.enter_context(
                    usernym.Client.open(
                        self.folder / name, name=name, node=self.card, mixnet=self.mixnets[name], unprotected=True
                    )
                )
                for name in ("ann", "bob")
            )
            for user in (ann, bob):
                user.register(patience_s)
                user.go_online(patience_s)
            ann.send("bob", "before", wait="delivered", timeout=patience_s)
            yield ann, bob

    def settle(self, within_s: float) -> None:
        """Wait until all that was written is delivered. Raises with what is not."""
        since, end = self.be_quiet(), time.monotonic() + within_s
        left: dict[str, int] = {}
        waiting = 1
        while time.monotonic() < end:
            left = {name: self._undelivered(name, since) for name in self.names}
            waiting = self.node_status().get("messages_waiting", 1)
            if not any(left.values()) and not waiting:
                return
            self.check_alive()
            time.sleep(0.5)
        raise AssertionError(f"after {within_s:g} seconds: undelivered {left}, in the node's mailboxes {waiting}")

    def node_status(self) -> dict[str, Any]:
        """What `usernym node status` shows; nothing while it does not answer."""
        try:
            return msgspec.structs.asdict(ask_holder(self.node_folder, StatusCommand(), Deadline(5.0)))
        except (control.NoHolder, control.HolderBusy, control.HolderGone, CommandFailed):
            return {}

    def _undelivered(self, name: str, since: float) -> int:
        life = self.lives[name][-1]
        said = [told["undelivered"] for told in life.printed if told.get("at", 0.0) > since]
        return said[-1] if said else 1

    def end_and_check(self) -> int:
        """End everything in order, and compare what is on the disks with what was reported. Returns the number of
        texts."""
        for name in self.names:
            assert stop(self.lives[name][-1]) == 0
        for node in self.nodes.values():
            assert stop(node) == 0
        assert self.network.stop() == 0
        if self.store is None:
            checked = check_store(self.node_folder / "node.db")
            assert checked.problems == []
        with contextlib.closing(
            NodeStore.open(self.node_folder / "node.db") if self.store is None else NodeStore.connect(self.store)
        ) as store:
            assert store.counts().messages == 0
        kept = {name: self._conversations(name) for name in self.names}
        total = 0
        for sender, recipient in ((a, b) for a in self.names for b in self.names if a != b):
            wrote, got = kept[sender][recipient, Direction.OUT], kept[recipient][sender, Direction.IN]
            assert wrote == [text_of(sender, recipient, number) for number in range(len(wrote))]
            assert got == wrote, f"{sender} to {recipient}: nothing lost, nothing twice, nothing out of order"
            total += len(wrote)
        for name in self.names:
            self._check_said(name, kept)
        return total

    def _conversations(self, name: str) -> dict[tuple[str, Direction], list[str]]:
        kept: dict[tuple[str, Direction], list[str]] = {}
        with contextlib.closing(ClientStore.open(self.folder / name, None, unprotected=True)) as store:
            assert store.problems() == []
            for peer in self.names:
                if peer == name:
                    continue
                rows = sorted(store.messages.conversation(peer, 10**6), key=lambda row: row.counter)
                for direction in (Direction.OUT, Direction.IN):
                    kept[peer, direction] = [row.body.decode() for row in rows if row.direction is direction]
                assert {row.state for row in rows if row.direction is Direction.OUT} <= {DeliveryState.DELIVERED}
        return kept

    def _check_said(self, name: str, kept: dict[str, dict[tuple[str, Direction], list[str]]]) -> None:
        """What was reported to be on disk is there; what came was shown, and shown again only across a kill."""
        outgoing = {text for (_, way), texts in kept[name].items() if way is Direction.OUT for text in texts}
        incoming = [text for (_, way), texts in kept[name].items() if way is Direction.IN for text in texts]
        said = {told["sent"] for life in self.lives[name] for told in life.printed if "sent" in told}
        assert said <= outgoing
        shown: list[str] = []
        of_lives: list[list[str]] = []
        for life in self.lives[name]:
            texts = [told["shown"] for told in life.printed if "shown" in told]
            if shown and shown[-1] in texts:
                # Killed between showing it and noting that. One that was written before it may have come since.
                texts.remove(shown[-1])
            shown += texts
            of_lives.append([*texts[:3], "...", *texts[-3:]])
        again, never = Counter(shown) - Counter(incoming), Counter(incoming) - Counter(shown)
        assert not again, f"{name} was shown these twice: {dict(again)}; its lives began and ended with {of_lives}"
        assert not never, f"{name} was never shown these: {dict(never)}; its lives began and ended with {of_lives}"


def cut_names(count: int) -> list[str]:
    """Names that don't look alike."""
    names = ["ann", "bob", "cleo", "dan", "eve", "fritz"][:count]
    assert len({skeleton(name) for name in names}) == count
    return names


@contextlib.contextmanager
def seed_of(request: Any) -> Iterator[random.Random]:
    """A source of choices; its seed is CRASH_SEED, or random; a failure prints it."""
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(2**32))
    try:
        yield random.Random(seed)
    except BaseException:
        sys.stdout.write(f"\nagain: CRASH_SEED={seed} pytest {request.node.nodeid}\n")
        raise


def json_lines(text: str) -> list[dict[str, Any]]:
    """The objects that a command printed."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
