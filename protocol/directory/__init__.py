"""The directory that everybody can check: docs/directory.md."""
