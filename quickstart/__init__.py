"""`make run` and `make serve`: the first predictions, and a server to keep."""
