"""Synthetic users: drawn avatars and composed nicknames, with exact posteriors."""
