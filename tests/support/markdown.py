"""Read tables of generated documents."""


def cells(markdown: str) -> list[list[str]]:
    """Return the cells of every table row, without padding."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown.splitlines() if line.startswith("|")]
