"""The gender model: towers, configs, training, evaluation."""
