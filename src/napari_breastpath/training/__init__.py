"""Data sets, training, the second stage, and the measures of a model."""

from napari_breastpath.training.config import Config
from napari_breastpath.training.progress import TrainingProgress
from napari_breastpath.training.reading import load_config
from napari_breastpath.training.run import Trained, train

__all__ = ["Config", "Trained", "TrainingProgress", "load_config", "train"]
