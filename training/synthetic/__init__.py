"""Synthetic users: drawn avatars, composed nicknames, exact posteriors."""
