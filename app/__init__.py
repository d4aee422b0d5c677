"""Find people by username on the Nym mixnet, and write to them."""
