"""Writes the test vectors. It uses nothing of usernym."""
