"""`usernym demo`: the whole story in one command."""
