"""Ten times more requests than the server can answer."""
