"""Forwarding: sealed messages through the node. The client's half and the node's."""
