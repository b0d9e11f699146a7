"""The worker's part of the model: two towers over compressed picture vectors, as in the article's pre-rank.

A user is the mean of the liked pictures, u. The logit of a candidate picture c is Σ w·u·c + v·c + b: taste and
popularity. The parameters are one vector: w `[K]`, v `[K]`, b.
"""

import numpy as np

from ...arrays import BoolsNK, FloatsD, FloatsN, FloatsND, FloatsNTD


def initial(dims: int) -> FloatsD:
    """Return the first parameters for vectors of so many dimensions: w = 1, v = 0, b = 0."""
    return np.concatenate([np.ones(dims), np.zeros(dims + 1)]).astype(np.float32)


def loss_and_gradients(
    theta: FloatsD, history: FloatsNTD, mask: BoolsNK, candidates: FloatsND, liked: FloatsN, batch: int
) -> tuple[float, FloatsD, FloatsNTD, FloatsND]:
    """Return these rows' share of the mean cross-entropy of a batch, and its gradients.

    Args:
        theta: Parameters `[2K + 1]`.
        history: Vectors of the liked pictures `[N, T, K]`.
        mask: Which of them exist `[N, T]`.
        candidates: Vectors of the shown pictures `[N, K]`.
        liked: 1 if the picture was liked `[N]`.
        batch: Rows of the whole batch, over all workers.

    Returns:
        The loss, and its gradients with respect to `theta`, `history` and `candidates`.
    """
    dims = candidates.shape[1]
    taste, popularity, bias = theta[:dims], theta[dims:-1], theta[-1]
    share = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1).astype(np.float32)
    users = np.einsum("nt,ntk->nk", share, history)
    logits = (users * candidates) @ taste + candidates @ popularity + bias
    loss = float((np.logaddexp(0, logits) - liked * logits).sum()) / batch
    error = ((1 / (1 + np.exp(-logits)) - liked) / batch).astype(np.float32)
    of_theta = np.concatenate([error @ (users * candidates), error @ candidates, error.sum(keepdims=True)])
    of_users = error[:, None] * taste * candidates
    of_candidates = error[:, None] * (taste * users + popularity)
    return loss, of_theta, share[:, :, None].astype(np.float32) * of_users[:, None], of_candidates
