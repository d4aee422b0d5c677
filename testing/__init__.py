"""Simulation for anyone's tests: worlds of nodes, users and a mixnet, with faults, from a seed. See docs/testing.md."""
