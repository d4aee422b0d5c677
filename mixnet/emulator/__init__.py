"""The emulated mixnet: no anonymity, for tests, simulation and demonstration."""
