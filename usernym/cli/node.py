"""The operator's commands: `usernym mixnet`, `usernym node run`, `usernym node card`, `usernym node status`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import threading
from pathlib import Path
from typing import Any, Final

from usernym import control
from usernym import log as logs
from usernym._version import __version__
from usernym.cli import perform as work
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.session import Options
from usernym.cli.stopping import Stopping
from usernym.cli.terminal import note, printable, say, say_json, table
from usernym.logger import logger
from usernym.mixnet.emulator.server import Ready, ServerSettings, run
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.transport import MixnetError
from usernym.mixnets import moving_transport
from usernym.node import Node, NotReady
from usernym.settings import NodeSettings, node_settings
from usernym.storage.files import read_private, write_private

REMEMBERED_NAME: Final = "node-mixnet"
"""An owner-only file with the mixnet that the node last ran with, so that it need not be named again."""
REMEMBERED_BYTES_MAX: Final = 1024
NO_ANONYMITY: Final = (
    "This is an emulated mixnet, on this machine only: it gives NO ANONYMITY. It is for trying and testing."
)


# -- the emulator -----------------------------------------------------------------------------------------------------


def mixnet(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym mixnet`."""
    try:
        settings = ServerSettings(
            first_port=arguments.first_port,
            clients=arguments.clients,
            seed=arguments.seed,
            faults=Faults(
                loss=arguments.loss,
                silent_loss=arguments.silent_loss,
                duplication=arguments.duplication,
                hop_delay_s=arguments.hop_delay,
            ),
            surb_minimum=arguments.surb_minimum,
            control_port=arguments.control_port,
        )
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "settings", str(error)) from None

    def on_ready(ready: Ready) -> None:
        if options.json:
            clients = [{"mixnet": f"ws://127.0.0.1:{port}", "address": address} for port, address in ready.endpoints]
            say_json({"event": "ready", "clients": clients, "control_port": ready.control_port})
            return
        for port, _ in ready.endpoints:
            say(f"emulated nym-client at ws://127.0.0.1:{port}")
        say(f"control port: {ready.control_port}")

    note(NO_ANONYMITY)
    try:
        run(settings, on_ready)
    except MixnetError as error:
        raise CommandFailed(Exit.USAGE, "port_taken", str(error)) from None


# -- the node ---------------------------------------------------------------------------------------------------------


def node_run(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym node run`."""
    settings = _settings(options)
    if settings.mixnet is None:
        raise CommandFailed(Exit.USAGE, "settings", "name the node's mixnet client: --mixnet ws://127.0.0.1:1977")
    moving_transport(settings.mixnet, settings.former_mixnets, options.home)
    with Stopping() as stopping, contextlib.ExitStack() as stack:
        node = stack.enter_context(
            Node(
                options.home,
                mixnet=settings.mixnet,
                former_mixnets=settings.former_mixnets,
                work_bits=settings.work_bits,
                on_mixnet=lambda problem: _tell_mixnet(problem, options.json),
            )
        )
        stopping.by(node.stop)
        _remember(options.home, settings.mixnet)
        if settings.metrics_port is not None:
            from usernym.metrics import MetricsServer  # noqa: PLC0415 - a twentieth of a second, for those who want it

            stack.enter_context(MetricsServer(node.status, settings.metrics_port))
        stack.enter_context(
            control.ControlServer(options.home, work.handler(lambda command, until: perform(node, command, until)))
        )
        if not options.json and settings.log_format == "text":
            note(f"the node starts; its mixnet client is {printable(settings.mixnet)}")
        logger.info("the node has started", extra=logs.fields(version=__version__, process=os.getpid()))
        threading.Thread(target=_announce, args=(node, options.json), name="usernym-announce", daemon=True).start()
        node.wait()
        logger.info("the node stops", extra=logs.fields(signal=stopping.signalled or "none"))
    logger.info("the node has stopped")


def _tell_mixnet(problem: str | None, as_json: bool) -> None:
    """Say why there is no mixnet client; the log does not, for a reason may name an address."""
    with contextlib.suppress(Exception):  # nobody reads the output any more
        if as_json:
            say_json({"event": "mixnet_up"} if problem is None else {"event": "mixnet_down", "text": problem})
        elif problem is not None:
            note(f"no mixnet client: {printable(problem)}; the node goes on trying")
        else:
            note("the mixnet client is there")


def _announce(node: Node, as_json: bool) -> None:
    """Print the card once there is one."""
    with contextlib.suppress(Exception):  # the node is being closed, or nobody reads the output any more
        card = node.card()
        if as_json:
            say_json({"event": "up", "card": card})
        else:
            say(f"the node is up; its card:\n{card}")


def perform(node: Node, command: work.ClientCommand | work.NodeCommand, deadline: work.Deadline) -> Any:
    """Carry out what another process asked of the running node."""
    match command:
        case work.Card():
            return {"card": node.card(deadline.left())}
        case work.Status():
            return dataclasses.asdict(node.status(deadline.left()))
        case _:
            raise CommandFailed(Exit.USAGE, "settings", "this home is a node's, not a client's: name another --home")


def _settings(options: Options) -> NodeSettings:
    return node_settings(options.home, options.config, flags=options.flags, remembered=_remembered(options.home))


def _remembered(home: Path) -> dict[str, str]:
    path = home / REMEMBERED_NAME
    if not path.exists():
        return {}
    text = read_private(path, REMEMBERED_BYTES_MAX).decode(errors="replace").strip()
    return {"mixnet": text} if text else {}


def _remember(home: Path, mixnet_url: str) -> None:
    if _remembered(home).get("mixnet") != mixnet_url:
        write_private(home / REMEMBERED_NAME, f"{mixnet_url}\n".encode(), replace=True)


def ask_node(options: Options, command: work.NodeCommand) -> Any:
    """Ask the node that runs in the home, waiting for it to be started within the time limit."""
    deadline = work.Deadline(_settings(options).timeout)
    while True:
        try:
            timeout = deadline.left()
            return work.result_of(control.ask(options.home, work.request(command, timeout), timeout))
        except (control.NobodyThere, control.HolderBusy) as error:
            if deadline.over:
                if isinstance(error, control.HolderBusy):
                    raise
                text = f"no node runs in {options.home}: `usernym node run` starts one, and --home names another folder"
                raise NotReady(text) from None
            deadline.pause()


def node_card(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym node card`."""
    value = ask_node(options, work.Card())
    if options.json:
        say_json(value)
    else:
        say(value["card"])


def node_status(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym node status`."""
    value = ask_node(options, work.Status())
    if options.json:
        say_json(value)
        return
    problem = f": {printable(value['mixnet_problem'])}" if value["mixnet_problem"] else ""
    rows = [("mixnet", "connected" if value["mixnet_up"] else f"not connected{problem}")]
    rows += [(name.replace("_", " "), str(count)) for name, count in value.items() if type(count) is int]
    rows += [(f"{printable(actor)}: inbox", str(depth)) for actor, depth in value["inboxes"].items()]
    for actor, counters in value["counters"].items():
        rows += [(f"{actor}: {printable(name).replace('_', ' ')}", str(count)) for name, count in counters.items()]
    say(table(rows))
