"""Malformed avatars and nicknames, one kind of damage per file."""
