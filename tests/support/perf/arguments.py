"""The options of a short measurement."""

import argparse
from typing import Any


def short(**options: Any) -> argparse.Namespace:
    """Return options as the command line would parse them, for one round with few users."""
    return argparse.Namespace(**{"users": 8, "seed": 1, "clients": [2], "rounds": 1, "seconds": 0.6} | options)
