"""Training and prediction without TensorFlow's graphs."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def eagerly() -> Iterator[None]:
    """Run steps as Python does. Tracing one takes as long as dozens of small steps, and most tests need only a few."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
