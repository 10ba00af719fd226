"""Each challenge's measures, as pure functions, and the command that applies them to files."""

from napari_breastpath.training.evaluation.config import EvaluationConfig, load_evaluation
from napari_breastpath.training.evaluation.evaluating import evaluate
from napari_breastpath.training.evaluation.prepared import Evaluation

__all__ = ["Evaluation", "EvaluationConfig", "evaluate", "load_evaluation"]
