"""More requests than the server can answer."""
