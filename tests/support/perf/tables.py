"""Read Markdown tables."""


def cells(text: str) -> list[list[str]]:
    """Return the cells of all tables in a text, row by row, headings included."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
