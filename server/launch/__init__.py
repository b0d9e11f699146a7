"""Starts the wheel's tritonserver: flags, ports, environment, model file checks."""
