"""The metrics: what they show of a real node, to whom, and what a flood of scrapers costs."""

from __future__ import annotations

import random
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

import usernym
from tests.helpers.handles import QUICK_HOPS
from usernym import metrics
from usernym.errors import NotReady
from usernym.metrics import CONNECTIONS_MAX, MetricsServer
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.node import NodeStatus
from usernym.storage.errors import StoreUnreachable
from usernym.timers import ThreadTimers

PATIENCE_S = 30.0
NAMES = ("tlaloc_the_sender", "coatlicue_who_reads")


@pytest.fixture(autouse=True)
def _quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends is not waited for."""
    monkeypatch.setattr(metrics, "CLOSE_LOOK_S", 0.02)


@pytest.fixture
def mixnet() -> Iterator[InProcessMixnet]:
    timers = ThreadTimers()
    yield InProcessMixnet(Emulator(random.Random(1), QUICK_HOPS), timers)
    timers.close()


def fetch(port: int, path: str = "/metrics", **headers: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        body: bytes = answer.read()
    return body.decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in plain_text(text)
        for sample in family.samples
    }  # fmt: skip


def status(**changes: int) -> NodeStatus:
    return NodeStatus(True, changes.get("accounts", 0), 0)


@pytest.mark.seconds
def test_a_nodes_counts_and_depths_and_never_a_name(tmp_path: Path, mixnet: InProcessMixnet) -> None:
    with (
        usernym.Node.open(tmp_path / "node", mixnet=mixnet.transport()) as node,
        MetricsServer(node.status, 0) as server,
    ):
        card = node.card(PATIENCE_S)
        for name in NAMES:
            with usernym.Client.open(
                tmp_path / name, name=name, node=card, mixnet=mixnet.transport(), unprotected=True
            ) as user:
                user.register(PATIENCE_S)
                user.go_online(PATIENCE_S)
                if name == NAMES[1]:
                    user.send(NAMES[0], "for one who is away", timeout=PATIENCE_S)
        text = fetch(server.port)
        found = samples(text)
        assert found["usernym_mixnet_up",] == 1
        assert found["usernym_accounts",] == 2
        assert found["usernym_routes",] == 2
        assert found["usernym_work_bits",] == 16
        assert found["usernym_messages_waiting",] == 1
        assert found["usernym_message_bytes_waiting",] > 1_000
        assert found["usernym_requests_remembered",] == 1, "the message: proofs of logins are in memory only"
        assert found["usernym_events_total", "forwarding", "forwards"] == 1
        assert found["usernym_events_total", "registration", "registrations"] == 2
        assert ("usernym_inbox", "io") in found
        assert found["process_resident_memory_bytes",] > 10_000_000
        assert found["usernym_build_info", usernym.__version__] == 1
        assert found["usernym_store_bytes",] >= (tmp_path / "node" / "node.db").stat().st_size > 0
        disk = shutil.disk_usage(tmp_path)
        assert 0 < found["usernym_disk_free_bytes",] <= disk.total
        assert fetch(server.port, "/healthz") == "ok\n"
        assert not [name for name in NAMES if name in text]
        told = fetch(server.port, Accept="application/openmetrics-text; version=1.0.0")
        assert len(list(open_metrics(told))) > 8  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/", {}, 404),
        ("/metrics/..", {}, 404),
        ("/metrics", {"Origin": "http://127.0.0.1"}, 403),
        ("/metrics", {"Host": "a-page.example"}, 403),
        ("/healthz", {"Origin": "http://127.0.0.1"}, 403),
        ("/healthz", {"Host": "a-page.example"}, 403),
        ("/healthz/", {}, 404),
    ],
)
def test_web_pages_and_other_paths_are_refused(path: str, headers: dict[str, str], code: int) -> None:
    with MetricsServer(lambda _: status(), 0) as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(server.port, path, **headers)
        assert refused.value.code == code
        assert "usernym" not in refused.value.read().decode()


def test_a_busy_node_is_told_as_such_and_asked_again() -> None:
    busy = True

    def read(_: float) -> NodeStatus:
        if busy:
            raise NotReady("the node is busy")
        return status(accounts=7)

    with MetricsServer(read, 0) as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(server.port)
        with refused.value as answer:
            assert answer.code == 503
        busy = False
        assert samples(fetch(server.port))["usernym_accounts",] == 7


@pytest.mark.parametrize(
    ("error", "up", "said"),
    [
        (NotReady("the node is busy"), True, "the node does not answer\n"),
        (usernym.Closed("the node is closed"), True, "the node does not answer\n"),
        (StoreUnreachable("the server does not answer"), True, "the node's store does not answer\n"),
        (None, False, "no mixnet client\n"),
    ],
)
def test_health_is_said_in_one_line_and_by_the_code(error: Exception | None, up: bool, said: str) -> None:
    def read(_: float) -> NodeStatus:
        if error is not None:
            raise error
        return NodeStatus(up, 0, 0)

    with MetricsServer(read, 0) as server, pytest.raises(urllib.error.HTTPError) as refused:
        fetch(server.port, "/healthz")
    assert (refused.value.code, refused.value.read().decode()) == (503, said)


def test_many_scrapes_ask_the_node_once() -> None:
    asked: list[float] = []

    def read(timeout: float) -> NodeStatus:
        asked.append(timeout)
        return status()

    with MetricsServer(read, 0) as server:
        for _ in range(20):
            fetch(server.port)
    assert len(asked) < 5


def test_connections_that_say_nothing_are_bounded_and_end() -> None:
    with MetricsServer(lambda _: status(), 0) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) for _ in range(CONNECTIONS_MAX)]
        try:
            over = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
            assert over.recv(1) == b"", "hung up on"
            over.close()
        finally:
            for connection in idle:
                connection.close()
        for _ in range(100):
            try:
                assert "usernym_accounts" in fetch(server.port)
                return
            except (urllib.error.URLError, ConnectionError):
                continue
        raise AssertionError("those who hung up still hold their places")


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with MetricsServer(lambda _: status(), 0) as server, pytest.raises(usernym.SettingsError, match="in use"):
        MetricsServer(lambda _: status(), server.port)


@pytest.mark.processes
def test_a_node_as_a_process_serves_them_where_its_settings_say(terminal: Any, free_ports: int) -> None:
    (terminal.folder / "node").mkdir(mode=0o700)
    (terminal.folder / "node" / "usernym.toml").write_text(f"[node]\nmetrics_port = {free_ports}\n")
    nowhere = ("node", "run", "--mixnet", "ws://127.0.0.1:9")
    node = terminal.start("node", "--home", "node", *nowhere)
    told = node.wait_for("why there is no mixnet client", lambda told: told.get("event") == "mixnet_down")
    status = terminal.ok("--home", "node", "node", "status")
    assert (status["mixnet_up"], status["work_bits"], status["inboxes"].keys() >= {"io"}) == (False, 16, True)
    assert status["mixnet_problem"] == told["text"] != ""
    assert samples(fetch(free_ports))["usernym_mixnet_up",] == 0
    taken = terminal.run("--json", "--home", "other", *nowhere, "--metrics-port", str(free_ports))
    assert taken.returncode == 2
    assert "can't be used" in taken.stdout
    terminal.start("off", "--home", "other", *nowhere, "--metrics-port", "0")
    assert terminal.ok("--home", "other", "node", "status")["accounts"] == 0
