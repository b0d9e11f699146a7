"""Ports on the command line."""

import argparse


def port_number(text: str) -> int:
    """Return a port of TCP. Raises ArgumentTypeError for any other text."""
    if text.isdecimal() and 0 < int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError("expected a port from 1 to 65535")
