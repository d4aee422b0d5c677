"""The directory's log: its epochs. Only a node has one."""
