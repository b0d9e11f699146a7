"""The teacher's first update is a half; the consistency ramps up; the teacher gets no gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from training.curation.mean_teacher import MeanTeacher, decay, ramp_up
from training.curation.multitask import UNLABELED
from training.pretrain.moco import mean_loss

RNG = np.random.default_rng(0)
VIEWS = [RNG.random((4, 6, 6, 3)).astype(np.float32) for _ in range(2)]
LABELS = np.array([[1], [0], [UNLABELED], [UNLABELED]], np.int8)


def network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1),
        ]
    )


def small(weight: float = 4.0) -> MeanTeacher:
    keras.utils.set_random_seed(1)
    return MeanTeacher(network(), network(), ramp=10, decay=0.9, weight=weight)


def test_decay_is_a_half_after_the_first_step_and_then_limited() -> None:
    assert [round(float(decay(step, 0.99)), 4) for step in (0, 1, 2, 3, 99, 1000)] == [0, 0.5, 0.6667, 0.75, 0.99, 0.99]


def test_ramp_rises_from_e_to_the_minus_5_to_the_full_weight() -> None:
    assert float(ramp_up(0, 40, 4.0)) == pytest.approx(4 * 0.0067379, abs=1e-5)
    assert float(ramp_up(20, 40, 4.0)) == pytest.approx(4 * 0.2865048, abs=1e-5)
    assert [float(ramp_up(step, 40, 4.0)) for step in (40, 41, 1000)] == [4.0, 4.0, 4.0]


def test_teacher_is_the_moving_average_of_weights_and_statistics() -> None:
    model = small()
    model.compile(keras.optimizers.SGD(0.5), loss=mean_loss)
    students = []
    for _ in range(2):
        model.fit([*VIEWS, LABELS], np.zeros(4), batch_size=4, verbose=0)
        students.append(model.student.get_weights())
    model.update_teacher()
    # α: 0.5 after the first step, 2/3 after the second; before them, the teacher equals the first student.
    initial = small().student.get_weights()
    for mean, start, first, second in zip(model.teacher.get_weights(), initial, *students, strict=True):
        np.testing.assert_allclose(mean, 2 / 3 * (0.5 * start + 0.5 * first) + 1 / 3 * second, atol=1e-6)
    assert any(np.abs(first - start).max() > 1e-3 for first, start in zip(students[0], initial, strict=True))


def test_cross_entropy_is_divided_by_the_whole_batch() -> None:
    """Without consistency, two of four pictures are labeled: the mean is half of that of the two."""
    model = small(weight=0.0)
    logits = ops.convert_to_numpy(model.student(VIEWS[0], training=False))[:2, 0]
    both = np.log1p(np.exp(-logits[0])) + np.log1p(np.exp(logits[1]))
    losses = ops.convert_to_numpy(model([*VIEWS, LABELS], training=False))
    assert losses.mean() == pytest.approx(both / 4, abs=1e-6)
    assert losses[2:].tolist() == [0, 0]


def test_consistency_is_the_squared_difference_of_probabilities_of_all_pictures() -> None:
    model = small(weight=4.0)
    model.steps.assign(10)
    model.teacher.set_weights([1.5 * each for each in model.teacher.get_weights()])
    ours, theirs = (
        ops.convert_to_numpy(ops.sigmoid(each(view, training=False)))[:, 0]
        for each, view in zip((model.student, model.teacher), VIEWS, strict=True)
    )
    unlabeled = np.full_like(LABELS, UNLABELED)
    losses = ops.convert_to_numpy(model([*VIEWS, unlabeled], training=False))
    np.testing.assert_allclose(losses, 4 * (ours - theirs) ** 2, rtol=1e-4)
    assert losses.min() > 0


def test_teacher_receives_no_gradient() -> None:
    model = small()
    assert {id(each) for each in model.trainable_variables} == {id(each) for each in model.student.trainable_variables}
    assert len(model.student.trainable_variables) == 6
