"""Protocol version 1 as pure values and functions; the normative text is docs/protocol.md."""
