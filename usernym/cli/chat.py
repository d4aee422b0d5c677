"""`usernym chat`: the chat page, served to this machine's browser until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from usernym.cli.command import Entry, Invocation
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import client_handler
from usernym.cli.signals import Stopping
from usernym.cli.terminal import print_err, print_json, print_line
from usernym.settings import PASSPHRASE_VARIABLE, ClientSettings

if TYPE_CHECKING:
    from usernym import Client
    from usernym.chat.serve import Serving


class PageReadyJson(msgspec.Struct, frozen=True, tag_field="event", tag="ready"):
    """The page is served."""

    address: str
    """Opens the page once. Each line on the standard input asks for another."""


class PageAddressJson(msgspec.Struct, frozen=True, tag_field="event", tag="address"):
    """Another address of the page."""

    address: str


def _options(parser: argparse.ArgumentParser) -> None:
    port = parser.add_argument("--port", type=int, choices=range(65536), default=0, metavar="PORT")
    port.help = "of 127.0.0.1; default: any free one"
    text = "open the page in the browser (default)"
    parser.add_argument("--browser", action=argparse.BooleanOptionalAction, default=True, help=text)
    parser.add_argument("--emulated", action="store_true", help="say on the page that its mixnet is an emulated one")


def chat(typed: Invocation[ClientSettings]) -> None:
    """`usernym chat`."""
    try:
        from usernym.chat.person import HomeSettings
        from usernym.chat.serve import serve
    except ModuleNotFoundError as error:
        raise CommandFailed(
            Exit.USAGE, "chat_not_installed", f"the chat page needs more ({error.name}): pip install 'usernym[chat]'"
        ) from None
    from usernym.cli.browser import NAME
    from usernym.control_server import ControlServer
    from usernym.mixnets import parse_mixnet

    settings = typed.settings
    if settings.mixnet is not None:
        parse_mixnet(settings.mixnet).check()  # validate first: an error is for the terminal, not for the page
    home = HomeSettings(
        typed.home,
        node=settings.node,
        mixnet=settings.mixnet,
        accept_strangers=settings.accept_strangers is True,
        passphrase=os.environ.get(PASSPHRASE_VARIABLE) or None,
        is_emulated=typed.given.emulated,
    )

    def held(client: Client) -> AbstractContextManager[Any]:
        return ControlServer(typed.home, client_handler(client))

    with Stopping() as stopping:

        def on_ready(serving: Serving) -> None:
            stopping.on_stop(serving.stop)
            _announce(serving, typed)

        try:
            serve(home, port=typed.given.port, held=held, on_ready=on_ready)
        finally:
            (typed.home / NAME).unlink(missing_ok=True)


def _is_typed_to() -> bool:
    """Whether this program may read what is typed: one in the background would be stopped for reading."""
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, ValueError, OSError):
        return False


def _announce(serving: Serving, typed: Invocation[ClientSettings]) -> None:
    from usernym.cli.browser import open_pages

    if typed.json:
        print_json(PageReadyJson(serving.new_address()))
        _read_lines(serving, as_json=True)
        return
    print_line(f"the chat page: {serving.new_address()}")
    print_err("The first browser that opens this address may use the page; then the address is used up.")
    print_err("Ctrl-C ends the page.")
    if typed.given.browser:
        open_pages([(serving.new_address(), typed.home)])
    if _is_typed_to():
        print_err("Press Enter for another address, for another browser.")
        _read_lines(serving, as_json=False)


def _read_lines(serving: Serving, *, as_json: bool) -> None:
    threading.Thread(target=_more_addresses, args=(serving, as_json), name="usernym-addresses", daemon=True).start()


def _more_addresses(serving: Serving, as_json: bool) -> None:
    """Another address for each line of the standard input."""
    with contextlib.suppress(Exception):  # there is no standard input, it has gone, or the program ends
        while sys.stdin.readline():
            if as_json:
                print_json(PageAddressJson(serving.new_address()))
            else:
                print_line(f"the chat page: {serving.new_address()}")


ENTRIES: Final = (
    Entry("chat", "serve the chat page to this machine's browser until it is stopped", chat, _options,
          prints=(PageReadyJson, PageAddressJson)),
)  # fmt: skip
