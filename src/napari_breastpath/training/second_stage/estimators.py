"""The estimators that are compared, each a classifier and a regressor.

Those of the HeLP 2019 winner and their kin; fixed settings, chosen for some hundred slides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from napari_breastpath.core.errors import UsageError

Make: TypeAlias = Callable[[int], Any]
INSTALL: Final = 'pip install "napari-breastpath[train]"'
TREES: Final = 100
COMPONENTS: Final = 500


@dataclass(frozen=True, slots=True)
class Candidate:
    """An estimator by name; each function makes an unfitted one from a seed, by a package."""

    name: str
    classifier: Make
    regressor: Make
    package: str = "sklearn"

    @property
    def is_installed(self) -> bool:
        """Its package is there."""
        return find_spec(self.package) is not None


def _linear_classifier(seed: int, l1: float = 0.0, strength: float = 1.0) -> Any:
    from sklearn.linear_model import LogisticRegression

    solver = "saga" if l1 else "lbfgs"
    return LogisticRegression(
        C=strength, l1_ratio=l1, solver=solver, max_iter=5000, random_state=seed
    )


def _linear_regressor(seed: int) -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def _ridge_regressor(seed: int) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(random_state=seed)


def _sparse_regressor(seed: int, l1: float) -> Any:
    from sklearn.linear_model import ElasticNet

    return ElasticNet(alpha=0.01, l1_ratio=l1, max_iter=20000, random_state=seed)


def _kernel_ridge_classifier(seed: int) -> Any:
    """Kernel ridge by its feature map, exact up to `COMPONENTS` slides (Williams & Seeger 2001)."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        Nystroem(n_components=COMPONENTS, random_state=seed), RidgeClassifier(random_state=seed)
    )


def _kernel_ridge_regressor(seed: int) -> Any:
    from sklearn.kernel_ridge import KernelRidge

    return KernelRidge(kernel="rbf")


def _ensemble(name: str, **settings: Any) -> Make:
    def make(seed: int) -> Any:
        from sklearn import ensemble

        return getattr(ensemble, name)(n_estimators=TREES, random_state=seed, **settings)

    return make


def _boosted(package: str, name: str, **settings: Any) -> Make:
    def make(seed: int) -> Any:
        kind = getattr(import_module(package), name)
        return kind(n_estimators=TREES, learning_rate=0.1, random_state=seed, n_jobs=1, **settings)

    return make


_FOREST: Final = {"min_samples_leaf": 2, "n_jobs": 1}
_BOOST: Final = {"max_depth": 3, "subsample": 0.8}
_LIGHT: Final = {"num_leaves": 7, "min_child_samples": 5, "deterministic": True, "verbose": -1}

CANDIDATES: Final[Sequence[Candidate]] = (
    Candidate("linear", lambda s: _linear_classifier(s, strength=1e6), _linear_regressor),
    Candidate("ridge", _linear_classifier, _ridge_regressor),
    Candidate(
        "lasso", lambda s: _linear_classifier(s, l1=1.0), lambda s: _sparse_regressor(s, 1.0)
    ),
    Candidate(
        "elastic_net", lambda s: _linear_classifier(s, l1=0.5), lambda s: _sparse_regressor(s, 0.5)
    ),
    Candidate("kernel_ridge", _kernel_ridge_classifier, _kernel_ridge_regressor),
    Candidate(
        "random_forest",
        _ensemble("RandomForestClassifier", **_FOREST),
        _ensemble("RandomForestRegressor", **_FOREST),
    ),
    Candidate(
        "gradient_boosting",
        _ensemble("GradientBoostingClassifier", **_BOOST),
        _ensemble("GradientBoostingRegressor", **_BOOST),
    ),
    Candidate(
        "extra_trees",
        _ensemble("ExtraTreesClassifier", **_FOREST),
        _ensemble("ExtraTreesRegressor", **_FOREST),
    ),
    Candidate(
        "xgboost",
        _boosted("xgboost", "XGBClassifier", **_BOOST),
        _boosted("xgboost", "XGBRegressor", **_BOOST),
        "xgboost",
    ),
    Candidate(
        "lightgbm",
        _boosted("lightgbm", "LGBMClassifier", **_LIGHT),
        _boosted("lightgbm", "LGBMRegressor", **_LIGHT),
        "lightgbm",
    ),
)
NAMES: Final = tuple(each.name for each in CANDIDATES)


def candidate(name: str) -> Candidate:
    """Return one of `CANDIDATES`; `UsageError` for another name."""
    if name not in NAMES:
        raise UsageError(f"estimator {name!r}", "unknown", f"choose of {', '.join(NAMES)}")
    found = CANDIDATES[NAMES.index(name)]
    if not found.is_installed:
        raise UsageError(f"estimator {name}", f"{found.package} is not installed", INSTALL)
    return found


def scaled(estimator: Any) -> Any:
    """Return an estimator that scales its features by what it is fitted on."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)
