"""The second stage: heatmap features → probability of a metastasis and major axis."""

from napari_breastpath.training.second_stage.fitting import Fitted, fit_score

__all__ = ["Fitted", "fit_score"]
