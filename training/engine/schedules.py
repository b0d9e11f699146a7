"""Learning rates over the steps of a training."""

import keras


def warmed_cosine(peak: float, steps: int, warm_up: float) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a rate that rises from 0 to `peak` in a share `warm_up` of the steps, and falls to 0 along a cosine."""
    rising = max(1, round(warm_up * steps))
    return keras.optimizers.schedules.CosineDecay(0.0, max(1, steps - rising), warmup_target=peak, warmup_steps=rising)
