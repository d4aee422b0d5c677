"""The directory that everyone can check: docs/directory.md."""
