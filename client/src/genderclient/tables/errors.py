"""The error of a table."""


class TableError(ValueError):
    """A table cannot be read, scored or written. The message names the file and what was expected, but no content."""
