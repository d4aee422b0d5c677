"""`usernym chat`: the chat page, served to this machine's browser until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usernym import control
from usernym.cli import perform as work
from usernym.cli.browser import NAME, open_pages
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.session import Options
from usernym.cli.stopping import Stopping
from usernym.cli.terminal import note, say, say_json
from usernym.client import Client
from usernym.mixnets import transport_to
from usernym.settings import PASSPHRASE_VARIABLE

if TYPE_CHECKING:
    from usernym.chat.serve import Serving


def chat(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym chat`."""
    try:
        from usernym.chat.person import HomeSettings  # noqa: PLC0415 - an extra: only this command needs it
        from usernym.chat.serve import serve  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise CommandFailed(
            Exit.USAGE, "chat_not_installed", f"the chat page needs more ({error.name}): pip install 'usernym[chat]'"
        ) from None
    settings = options.client_settings()
    if settings.mixnet is not None:
        transport_to(settings.mixnet, options.home)  # before anybody sees a page: a mixnet that is none is said here
    home = HomeSettings(
        options.home,
        node=settings.node,
        mixnet=settings.mixnet,
        accept_strangers=settings.accept_strangers is True,
        passphrase=os.environ.get(PASSPHRASE_VARIABLE) or None,
        is_emulated=arguments.emulated,
    )

    def held(client: Client) -> AbstractContextManager[Any]:
        return control.ControlServer(
            options.home, work.handler(lambda command, deadline: work.perform(client, command, deadline))
        )

    with Stopping() as stopping:

        def on_ready(serving: Serving) -> None:
            stopping.by(serving.stop)
            _announce(serving, options.home, as_json=options.json, browser=arguments.browser)

        try:
            serve(home, port=arguments.port, held=held, on_ready=on_ready)
        finally:
            (options.home / NAME).unlink(missing_ok=True)


def _is_typed_to() -> bool:
    """Whether somebody at a terminal types to this very program: one in the background would be stopped for reading."""
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, ValueError, OSError):
        return False


def _announce(serving: Serving, home: Path, *, as_json: bool, browser: bool) -> None:
    if as_json:
        say_json({"event": "ready", "address": serving.new_address()})
        _hear(serving, as_json=True)
        return
    say(f"the chat page: {serving.new_address()}")
    note("Who opens this address first may use the page; after that it is worth nothing. Ctrl-C ends the page.")
    if browser:
        open_pages([(serving.new_address(), home)])
    if _is_typed_to():
        note("Press Enter for another address, for another browser.")
        _hear(serving, as_json=False)


def _hear(serving: Serving, *, as_json: bool) -> None:
    threading.Thread(target=_more_addresses, args=(serving, as_json), name="usernym-addresses", daemon=True).start()


def _more_addresses(serving: Serving, as_json: bool) -> None:
    """Another address for each line of the standard input."""
    with contextlib.suppress(Exception):  # there is none, the terminal has gone, or the program ends
        while sys.stdin.readline():
            if as_json:
                say_json({"event": "address", "address": serving.new_address()})
            else:
                say(f"the chat page: {serving.new_address()}")
