"""Read tables of generated documents."""


def cells(markdown: str) -> list[list[str]]:
    """Return the cells of all tables, row by row, without padding; headings are rows, the rules below them are not."""
    lines = [line for line in markdown.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
