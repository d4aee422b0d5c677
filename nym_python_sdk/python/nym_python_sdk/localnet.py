"""``python -m nym_python_sdk.localnet``: a Nym network on loopback, and nym-client's websocket for each of its clients.

Prints the directory's URL and one line for each client (name, websocket, Nym address) when all is up; runs until SIGINT or
SIGTERM. For programs in any language.
"""

import argparse
import contextlib
import json
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from nym_python_sdk.errors import NymError
from nym_python_sdk.testing import LocalNetwork, WebsocketClient

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: Seconds between two checks that every client is still alive.
_WATCH = 0.5


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    for name in names:
        if not _NAME.fullmatch(name):
            raise argparse.ArgumentTypeError(f"{name!r}: letters, digits, - and _, at most 64")
    if len(set(names)) != len(names):
        raise argparse.ArgumentTypeError("a name is given twice")
    return names


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m nym_python_sdk.localnet",
        description="A Nym network on 127.0.0.1, with nym-client's websocket API for each client; ends with SIGINT or SIGTERM.",
    )
    add = parser.add_argument
    add(
        "--clients",
        type=_names,
        default=(),
        metavar="A,B",
        help="names of the clients, each with a websocket of its own",
    )
    add("--gateways", type=int, default=2, metavar="N", help="how many; clients take them in turn (default: 2)")
    add("--mixes-per-layer", type=int, default=2, metavar="N", help="default: 2")
    add("--first-port", type=int, default=0, metavar="N", help="the clients' ports from here on (default: any)")
    add("--directory-port", type=int, default=0, metavar="N", help="default: any")
    add("--seed", type=int, default=None, metavar="N", help="of keys and losses (default: the state's, or random)")
    add("--loss", type=float, default=0.0, metavar="P", help="probability of loss at each hop, 0 to 1 (default: 0)")
    add("--delay-scale", type=float, default=1.0, metavar="F", help="factor on the packets' delays (default: 1)")
    add(
        "--traffic",
        choices=("fast", "no-cover", "default"),
        default="fast",
        help="fast: no cover traffic and no delays; no-cover: delays stay; default: as on mainnet (default: fast)",
    )
    add("--surbs-withheld", type=int, default=10, metavar="N", help="SURBs of each sender kept back (default: 10)")
    add("--state", type=Path, default=None, metavar="DIR", help="keeps network and clients for the next start")
    add("--json", action="store_true", help="one line of JSON when all is up, instead of text")
    return parser.parse_args(arguments)


def _serve(network: LocalNetwork, options: argparse.Namespace, clients: contextlib.ExitStack) -> list[WebsocketClient]:
    served = []
    for number, name in enumerate(options.clients):
        websocket = network.serve_websocket(
            name,
            gateway=network.gateways[number % len(network.gateways)],
            storage=None if options.state is None else options.state / "clients" / name,
            port=options.first_port + number if options.first_port else 0,
            traffic=options.traffic,
            surbs_withheld=options.surbs_withheld,
        )
        served.append(clients.enter_context(websocket))
    return served


def _report(network: LocalNetwork, clients: list[WebsocketClient], *, as_json: bool) -> None:
    if as_json:
        document = {
            "directory": network.directory_url,
            "gateways": network.gateways,
            "seed": network.seed,
            "clients": {client.name: {"url": client.url, "address": client.address} for client in clients},
        }
        print(json.dumps(document), flush=True)
        return
    print(f"directory {network.directory_url} seed {network.seed}")
    for client in clients:
        print(client.name, client.url, client.address)
    sys.stdout.flush()


@contextlib.contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set."""
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: ended by a signal; 1: something could not be started, or a client ended by itself; 2: wrong arguments."""
    options = _arguments(arguments)
    with _until_told() as told, contextlib.ExitStack() as stack:
        try:
            network = stack.enter_context(
                LocalNetwork(
                    gateways=options.gateways,
                    mixes_per_layer=options.mixes_per_layer,
                    seed=options.seed,
                    delay_scale=options.delay_scale,
                    directory_port=options.directory_port,
                    state=None if options.state is None else options.state / "network",
                )
            )
            network.set_loss(options.loss)
            clients = _serve(network, options, stack)
        except NymError as error:
            print(error, file=sys.stderr)
            return 1
        _report(network, clients, as_json=options.json)
        while not told.wait(_WATCH):
            for client in clients:
                if not client.status().alive:
                    print(f"{client.name}: the client has ended by itself", file=sys.stderr)
                    return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
