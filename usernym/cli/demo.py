"""`usernym demo`: the whole story on one machine (`usernym.demo`)."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from typing import Final

import msgspec

from usernym.cli.command import Entry, Invocation, option, switch
from usernym.settings import CommonSettings


class StepJson(msgspec.Struct, frozen=True, tag_field="event", tag="step"):
    """A step of the story begins."""

    number: int
    title: str


class LineJson(msgspec.Struct, frozen=True, tag_field="event", tag="line"):
    """Something that happened in a step."""

    step: int
    text: str


class PacketCountJson(msgspec.Struct, frozen=True):
    """Sphinx packets of one mixnet client."""

    up: int
    down: int


class PacketsJson(msgspec.Struct, frozen=True, tag_field="event", tag="packets"):
    """What travelled in a step."""

    step: int
    packets: dict[str, PacketCountJson]
    """By name: node, alice, bob and mallory."""


class DemoPageJson(msgspec.Struct, frozen=True):
    """A person's chat page."""

    who: str
    registered: bool
    address: str
    """Opens the page once."""


class DemoReadyJson(msgspec.Struct, frozen=True, tag_field="event", tag="ready"):
    """Both pages of `--chat` are served."""

    pages: list[DemoPageJson]
    anonymity: bool
    """False: the mixnet is an emulated one."""


def demo(typed: Invocation[CommonSettings]) -> None:
    """`usernym demo`."""
    if typed.given.chat:
        from usernym.demo.pages import demo_chat

        demo_chat(as_json=typed.json, browser=typed.given.browser)
        return
    from usernym.demo.story import play

    play(as_json=typed.json)


ENTRIES: Final = (
    Entry("demo", "play the whole story on this machine: mixnet, node, Alice and Bob", demo,
          (switch("--chat", "instead: two people's chat pages to play with"),
           option("--browser", action=BooleanOptionalAction, default=True,
                  help="with --chat: open both pages (default)")), "none",
          (StepJson, LineJson, PacketsJson, DemoReadyJson)),
)  # fmt: skip
