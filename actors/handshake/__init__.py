"""The handshake: two clients agree on a direct route. There is no half at the node."""
