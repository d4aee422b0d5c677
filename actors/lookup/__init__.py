"""Lookup: a name to its key record. The client's half, the node's, and the finder that pins nothing."""
