"""A/B experiments: an arm for each user, and shadow requests to the other arms."""

from genderclient.experiments.experiment import Experiment
from genderclient.experiments.reports import Exposure, Shadow

__all__ = ["Experiment", "Exposure", "Shadow"]
