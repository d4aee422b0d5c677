"""A whole world under simulation: one node, clients, the emulated mixnet, in-memory stores, a virtual clock."""

from __future__ import annotations

from usernym.testing.world import SimClient, SimNode, World

__all__ = ["SimClient", "SimNode", "World"]
