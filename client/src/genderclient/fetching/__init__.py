"""Avatars from the web."""
