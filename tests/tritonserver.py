"""A real tritonserver for a test, from the same place that `make run` and `make serve` take theirs."""

from server.process import LAUNCHER, ROOT, Server, free_ports, running_triton

__all__ = ["LAUNCHER", "ROOT", "Server", "free_ports", "running_triton"]
