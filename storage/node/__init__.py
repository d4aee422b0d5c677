"""The node's store: `store.NodeStore`."""
