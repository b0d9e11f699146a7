"""A/B experiments: an arm for each user, and shadow requests to the other arms."""

from genderclient.experiments.experiment import Experiment, Exposure, Shadow

__all__ = ["Experiment", "Exposure", "Shadow"]
