"""Ranks pictures for a user by what the user has liked (Ge et al., 2017, https://arxiv.org/abs/1711.06505)."""
