"""A node's counters and depths for Prometheus, over HTTP on loopback: numbers only, never a name or a tag.

`/healthz` says in one line whether the node works: 200 if it answers and has its mixnet client, 503 if not.

Off unless a port is set. The format is that of the library `prometheus_client`; the server here, since the library's
takes as many connections as come, and answers web pages too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, Self

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from usernym.errors import Closed, NotReady, SettingsError
from usernym.node import NodeStatus
from usernym.storage.errors import StorageError

HOST: Final = "127.0.0.1"
CONNECTIONS_MAX: Final = 8
"""Requests at once: a scraper needs one. Further connections are closed."""
REQUEST_S: Final = 10.0
"""How many seconds a client may take to send its request, and to read the answer."""
READ_EVERY_S: Final = 1.0
"""The node is asked at most this often, since it counts rows for that; requests that come sooner get the last
figures."""
CLOSE_LOOK_S = 0.5
"""How often the server looks whether it is to end."""
STATUS_S: Final = 5.0
"""How long the node may take to answer; a busy one gives 503."""

Read = Callable[[float], NodeStatus]
"""`Node.status`: takes seconds, raises `NotReady`."""


class NodeCollector(Collector):
    """Turns a node's status into metrics. The labels are names of actors and of counters: a closed, small set."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._status: NodeStatus | None = None
        self._read_at = float("-inf")

    def status(self) -> NodeStatus:
        """The node's status, `READ_EVERY_S` old at most. Raises `NotReady`."""
        with self._lock:
            if self._status is None or time.monotonic() - self._read_at >= READ_EVERY_S:
                self._status = self._read(STATUS_S)
                self._read_at = time.monotonic()
            return self._status

    def describe(self) -> list[Metric]:
        """Nothing: the metrics are known only when they are collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Serves the metrics. Raises `NotReady`."""
        status = self.status()
        for name, text, value in (
            ("mixnet_up", "1 while the node has its mixnet client", int(status.mixnet_up)),
            ("accounts", "names registered now", status.accounts),
            ("messages_waiting", "messages accepted and not yet acknowledged", status.messages_waiting),
            ("message_bytes_waiting", "their bytes", status.message_bytes_waiting),
            ("notices_waiting", "words on messages' fates, not yet confirmed", status.notices_waiting),
            ("requests_remembered", "requests that would not count twice", status.requests_remembered),
            ("routes", "users logged in, as far as the node knows", status.routes),
            ("store_bytes", "the store on the disk, with its write-ahead log", status.store_bytes),
            ("disk_free_bytes", "what the node may still write on the store's file system", status.disk_free_bytes),
            ("work_bits", "zero bits that a registration's proof of work needs now", status.work_bits),
        ):  # fmt: skip
            yield GaugeMetricFamily(f"usernym_{name}", text, value)
        info = GaugeMetricFamily("usernym_build_info", "always 1; the label is the version", labels=["version"])
        info.add_metric([status.version], 1)
        yield info
        inbox = GaugeMetricFamily("usernym_inbox", "messages in the inbox of an actor", labels=["actor"])
        for actor, depth in status.inboxes.items():
            inbox.add_metric([actor], depth)
        yield inbox
        events = CounterMetricFamily("usernym_events", "what actors counted since the start", labels=["actor", "event"])
        for actor, counters in status.counters.items():
            for event, count in counters.items():
                events.add_metric([actor, event], count)
        yield events


class _Handler(BaseHTTPRequestHandler):
    """One request a connection: `GET /metrics`, `GET /healthz`."""

    server: MetricsServer._MetricsHTTP
    timeout = REQUEST_S
    server_version = "usernym"
    sys_version = ""
    _LOCAL: ClassVar = (HOST, "localhost")

    def do_GET(self) -> None:
        """Answer."""
        if "Origin" in self.headers or self.headers.get("Host", "").partition(":")[0] not in self._LOCAL:
            # A web page asks, perhaps by a DNS name that someone pointed to this machine so that it may read the
            # answer.
            self._say(HTTPStatus.FORBIDDEN)
            return
        try:
            if self.path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._say(HTTPStatus.OK, encode(self.server.registry), content_type)
            elif self.path == "/healthz":
                up = self.server.collector.status().mixnet_up
                self._say(
                    *((HTTPStatus.OK, b"ok\n") if up else (HTTPStatus.SERVICE_UNAVAILABLE, b"no mixnet client\n"))
                )
            else:
                self._say(HTTPStatus.NOT_FOUND)
        except (NotReady, Closed):
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, b"the node does not answer\n")
        except StorageError:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, b"the node's store does not answer\n")

    def _say(self, status: HTTPStatus, body: bytes = b"", content_type: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Nothing: the library would write what the caller sent to the standard error."""


class MetricsServer:
    """Serves a node's metrics on loopback from `__enter__` to `__exit__`. `port` 0 takes any free one.

    Raises `SettingsError` if the port is taken.
    """

    class _MetricsHTTP(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = CONNECTIONS_MAX

        def __init__(self, port: int, registry: CollectorRegistry, collector: NodeCollector) -> None:
            self.registry = registry
            self.collector = collector
            self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
            super().__init__((HOST, port), _Handler)

        def process_request(self, request: Any, client_address: Any) -> None:
            if self._free.acquire(blocking=False):
                super().process_request(request, client_address)
            else:
                self.shutdown_request(request)

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            try:
                super().process_request_thread(request, client_address)
            finally:
                self._free.release()

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Nothing: a scraper that disconnects is not logged, and the library would print a traceback."""

    def __init__(self, read: Read, port: int) -> None:
        registry = CollectorRegistry(auto_describe=False)
        collector = NodeCollector(read)
        registry.register(collector)
        ProcessCollector(registry=registry)
        try:
            self._server = self._MetricsHTTP(port, registry, collector)
        except OSError as error:
            raise SettingsError(f"the metrics' port {port} can't be used: {error.strerror}") from None
        self.port: int = self._server.server_address[1]
        serve = partial(self._server.serve_forever, CLOSE_LOOK_S)
        self._thread = threading.Thread(target=serve, name="usernym-metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
