"""What the wirings have to name by hand is complete: nothing that a peer may send is without an actor."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from usernym.actors.mixnet_io.client import ClientIO
from usernym.actors.mixnet_io.node import NodeIO
from usernym.protocol import messages as m
from usernym.testing.world import World


def test_every_message_of_a_client_has_its_actor_at_the_node_and_every_tell_its_own_at_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wired: dict[type[Any], dict[str, Any]] = {}

    def note(kind: type[Any]) -> None:
        init = kind.__init__

        def noted(self: Any, *given: Any, **named: Any) -> None:
            wired[kind] = named
            init(self, *given, **named)

        monkeypatch.setattr(kind, "__init__", noted)

    note(NodeIO)
    note(ClientIO)
    with World() as world:
        world.client("alice")
    assert set(wired[NodeIO]["requests"]) == set(get_args(m.ToNode))
    own = {m.SurbsWanted}  # I/O does itself what it asks for
    assert set(wired[ClientIO]["dispatch"].tells) == set(get_args(m.Tell)) - own
