"""Injects faults into one of two supervised replicas under load, and measures what clients notice."""
