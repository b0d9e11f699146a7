"""The losses equal those of lightly on the same tensors. To run: `pip install lightly torch`."""

import numpy as np
import pytest
from keras import ops
from sklearn.preprocessing import normalize

from training.pretrain.moco import info_nce
from training.pretrain.swav import sinkhorn, swapped_prediction

torch = pytest.importorskip("torch")
losses = pytest.importorskip("lightly.loss")

RNG = np.random.default_rng(0)
QUERIES, KEYS, QUEUE = (normalize(RNG.normal(size=(rows, 32))).astype(np.float32) for rows in (16, 16, 64))
SCORES = [np.clip(RNG.normal(0, 0.3, (16, 20)), -1, 1).astype(np.float32) for _ in range(4)]


def test_info_nce() -> None:
    reference = losses.NTXentLoss(temperature=0.2, memory_bank_size=QUEUE.shape)
    reference.memory_bank.bank = torch.from_numpy(QUEUE)
    expected = float(reference(torch.from_numpy(QUERIES), torch.from_numpy(KEYS)))
    queries, keys, queue = map(ops.convert_to_tensor, (QUERIES, KEYS, QUEUE))
    ours = info_nce(queries, keys, queue, 0.2)
    assert float(ops.mean(ours)) == pytest.approx(expected, abs=1e-5)


def test_sinkhorn() -> None:
    expected = losses.swav_loss.sinkhorn(torch.from_numpy(SCORES[0]), iterations=3, epsilon=0.05)
    np.testing.assert_allclose(sinkhorn(SCORES[0], 0.05, 3), expected.numpy(), atol=1e-5)


def test_swapped_prediction() -> None:
    reference = losses.SwaVLoss(temperature=0.1, sinkhorn_iterations=3, sinkhorn_epsilon=0.05)
    large, small = ([torch.from_numpy(scores) for scores in part] for part in (SCORES[:2], SCORES[2:]))
    codes = [sinkhorn(scores, 0.05, 3) for scores in SCORES[:2]]
    ours = [swapped_prediction(SCORES[crop], codes[view]) for view in (0, 1) for crop in range(4) if crop != view]
    mean = float(np.mean([ops.convert_to_numpy(each) for each in ours]))
    assert mean == pytest.approx(float(reference(large, small)), abs=1e-5)
