"""Options of clients and requests: their defaults, their checks, and the environment variables."""
