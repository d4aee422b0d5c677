"""What a finder is shown: it asks for proofs, as who meets a name for the first time, and pins nothing."""

from __future__ import annotations

import msgspec
import pytest

from tests.actors.lookup.test_promises import lying
from tests.actors.lookup.test_proved_lookups import cost, now_in, settled
from tests.helpers.hostile import RawClient, Wiretap
from tests.usernym.test_directory_copy import SimFinder
from usernym.actors.failures import NodeRefused
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.testing.world import World


def test_a_record_is_found_with_its_place_in_the_log_for_a_packet_more() -> None:
    with settled("alice") as world:
        finder, tap = SimFinder(world, own_tags=True), Wiretap(world)
        since = now_in(tap)
        found = finder.look_up("alice")
        assert found.record.identity_key == world.clients["alice"].user.key.public
        assert found.log_size == world.node.store.log.size()
        assert cost(tap, since) == (2, 3, [m.Proved, m.Links])


def test_that_no_one_has_a_name_is_shown() -> None:
    with settled("alice") as world, pytest.raises(NodeRefused, match="as its public directory shows") as refused:
        SimFinder(world, own_tags=True).look_up("nobody")
    assert refused.value.code is Code.NO_SUCH_USER


def test_a_false_proof_gives_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    with settled("alice") as world:
        false = RawClient(world, "alice").record
        lying(monkeypatch, lambda _asks, answer: msgspec.structs.replace(answer, record=false))
        with pytest.raises(NodeRefused) as refused:
            SimFinder(world, own_tags=True).look_up("alice")
        assert refused.value.code is Code.PROOF_INVALID


def test_a_node_that_has_no_head_to_show_is_asked_in_vain_for_a_proof_only() -> None:
    with World() as world:
        world.client("alice")
        world.node.store.database.run("DELETE FROM directory_change")
        found = SimFinder(world, own_tags=True).look_up("alice")
        assert found.record.identity_key == world.clients["alice"].user.key.public
        assert found.log_size is None
