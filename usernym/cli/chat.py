"""`usernym chat`: the chat page, served to this machine's browser until it is stopped."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from argparse import BooleanOptionalAction
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from usernym.cli.command import Entry, Invocation, number, option
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import client_handler
from usernym.cli.signals import Stopping
from usernym.cli.terminal import print_err
from usernym.settings import PASSPHRASE_VARIABLE, ClientSettings

if TYPE_CHECKING:
    from usernym import Client
    from usernym.chat.serve import Serving


_ADDRESS: Final = "the chat page: {reply.address}"


class PageReadyJson(msgspec.Struct, frozen=True, tag_field="event", tag="ready"):
    """The page is served."""

    address: str
    """Opens the page once. Each line on the standard input asks for another."""


class PageAddressJson(msgspec.Struct, frozen=True, tag_field="event", tag="address"):
    """Another address of the page."""

    address: str


def chat(typed: Invocation[ClientSettings]) -> None:
    """`usernym chat`."""
    try:
        from usernym.chat.person import HomeSettings
        from usernym.chat.serve import serve
    except ModuleNotFoundError as error:
        raise CommandFailed(
            Exit.USAGE,
            "chat_not_installed",
            f"the chat page needs more ({error.name}): in a checkout of usernym, pip install '.[chat]'",
        ) from None
    from usernym.cli.browser import NAME
    from usernym.control_server import ControlServer
    from usernym.mixnets import parse_mixnet
    from usernym.witnesses import witness_policy

    settings = typed.settings
    if settings.mixnet is not None:
        parse_mixnet(settings.mixnet).check()  # validate first: an error is for the terminal, not for the page
    witness_policy(settings.witnesses, settings.witnesses_needed)  # the same
    home = HomeSettings(
        typed.home,
        node=settings.node,
        mixnet=settings.mixnet,
        accept_strangers=settings.accept_strangers is True,
        witnesses=settings.witnesses,
        witnesses_needed=settings.witnesses_needed,
        passphrase=os.environ.get(PASSPHRASE_VARIABLE) or None,
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

    typed.show(PageReadyJson(serving.new_address()), _ADDRESS)
    if not typed.json:
        print_err("The first browser that opens this address may use the page; then the address is used up.")
        print_err("Ctrl-C ends the page.")
        if typed.given.browser:
            open_pages([(serving.new_address(), typed.home)])
        if not _is_typed_to():
            return
        print_err("Press Enter for another address, for another browser.")
    threading.Thread(target=_more_addresses, args=(serving, typed), name="usernym-addresses", daemon=True).start()


def _more_addresses(serving: Serving, typed: Invocation[ClientSettings]) -> None:
    """Another address for each line of the standard input."""
    with contextlib.suppress(Exception):  # there is no standard input, it has gone, or the program ends
        while sys.stdin.readline():
            typed.show(PageAddressJson(serving.new_address()), _ADDRESS)


ENTRIES: Final = (
    Entry(
        "chat", "serve the chat page to this machine's browser until it is stopped", chat,
        (option("--port", type=number(0, 65_535), default=0, metavar="PORT",
                help="of 127.0.0.1; default: any free one"),
         option("--browser", action=BooleanOptionalAction, default=True,
                help="open the page in the browser (default)")),
        prints=(PageReadyJson, PageAddressJson),
    ),
)  # fmt: skip
