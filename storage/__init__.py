"""The stores of the node and of the client (SQLite through peewee)."""
