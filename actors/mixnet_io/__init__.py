"""Mixnet I/O: between bytes and typed messages, the same actor in both graphs."""
