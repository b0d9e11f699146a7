"""The closed loop of ranking: exposures, training, rollout, and what they earn."""
