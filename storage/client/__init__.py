"""The client's store, encrypted as a whole: `store.ClientStore`, and what it returns in `types`."""
