"""Inputs as real people send them: many spellings of one nickname, many encodings of one avatar."""
