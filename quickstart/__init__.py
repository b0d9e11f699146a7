"""`make run` and `make serve`: a stranger's first predictions, and a server to go on with."""
