"""The exchanges of the protocol as Pykka actors; see docs/architecture.md."""
