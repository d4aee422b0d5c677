"""Ways to the mixnet behind one `Transport` interface."""
