"""A gallery of random vectors."""

import numpy as np
import pytest

from picturegallery.files import Gallery


@pytest.fixture(scope="package")
def gallery() -> Gallery:
    """300 pictures of 32 dimensions, with the ids 1001, 1002, …"""
    vectors = np.random.default_rng(0).normal(size=(300, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Gallery(
        vectors.astype(np.float16),
        np.arange(1001, 1301),
        [f"title {row}" for row in range(300)],
        np.zeros((300, 2), np.float32),
        {"encoder_digest": "e" * 64, "prep_digest": "p" * 64},
    )
