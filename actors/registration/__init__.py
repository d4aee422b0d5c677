"""Registration, login, key records and the node's card: the client's half and the node's."""
