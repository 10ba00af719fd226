"""A bundle's second stage: from the 28 heatmap features to a probability and a length.

The estimators are skops files (zipped JSON and arrays), never pickles: their SHA-256 stands in
`model.json`, only types named here are built, and they must give the values they gave when fitted.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import ModelBundle

FOLDER: Final = "second_stage"
CLASSIFIER, REGRESSOR = "classifier", "regressor"
SCORE_NAME: Final = "metastasis_probability"
MAX_UNPACKED: Final = 2**29
ADVICE: Final = "get the bundle again, or fit it anew with `breastpath fit-score`"
TRUSTED: Final = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)
"""Types that may be built besides those skops itself trusts; none runs code when it is."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the second stage says of a slide.

    Attributes
    ----------
    probability : float
        Calibrated probability of a metastasis.
    major_axis_mm : float or None
        Predicted major axis (moment axis), mm; None where no regressor was fitted.
    """

    probability: float
    major_axis_mm: float | None


@dataclass(frozen=True)
class SecondStage:
    """Fitted estimators and what they expect.

    Attributes
    ----------
    classifier, regressor : estimator
        Of scikit-learn's kind; the regressor predicts log(1 + mm) and may be None.
    features : tuple of str
        Names, in the estimators' order.
    ranges : ndarray of float, shape (features, 2)
        Least and largest value of each in the fitted slides.
    """

    classifier: Any
    regressor: Any | None
    features: tuple[str, ...]
    ranges: NDArray[np.float64]

    def predict(self, values: Mapping[str, float]) -> Prediction:
        """Return probability and length for the features of one slide."""
        row = np.array([[float(values[name]) for name in self.features]])
        probability = float(self.classifier.predict_proba(row)[0, 1])
        if self.regressor is None:
            return Prediction(probability, None)
        return Prediction(probability, millimetres(float(self.regressor.predict(row)[0])))

    def outside(self, values: Mapping[str, float]) -> list[str]:
        """Return the features beyond the range of the fitted slides: there it extrapolates."""
        bounds = zip(self.features, self.ranges, strict=True)
        return [name for name, (low, high) in bounds if not low <= float(values[name]) <= high]


def millimetres(log_axis: float) -> float:
    """Return the length (mm, never negative) of a predicted log(1 + mm)."""
    return max(0.0, math.expm1(min(log_axis, 700.0)))


def check_second_stage(bundle: ModelBundle) -> None:
    """Compare the hashes of the second stage's files with the manifest's, if it has one.

    Raises
    ------
    ModelError
        A file is missing or changed, or the entry is malformed.
    """
    for name in (CLASSIFIER, REGRESSOR):
        _content(bundle, name)


def load_second_stage(bundle: ModelBundle) -> SecondStage | None:
    """Return the second stage of a bundle, None where it has none.

    Raises
    ------
    ModelError
        A file is missing, changed or holds a type that is not trusted; scikit-learn or skops is
        missing; or it gives other values than when it was fitted.
    """
    if bundle.second_stage is None:
        return None
    contents = tuple(_content(bundle, name) for name in (CLASSIFIER, REGRESSOR))
    try:
        return _load(bundle.folder, contents, json.dumps(bundle.second_stage))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _fault(bundle.folder, f"is malformed ({error})") from error


def _fault(folder: Path, cause: str, advice: str = ADVICE) -> ModelError:
    return ModelError(folder, f"its second stage {cause}", advice)


@lru_cache(maxsize=4)
def _load(folder: Path, contents: tuple[bytes | None, ...], manifest: str) -> SecondStage:
    """Build and check the estimators once, however many slides they are used on."""
    if contents[0] is None:
        raise ValueError("no classifier")
    entry = json.loads(manifest)
    features = tuple(map(str, entry["features"]))
    stage = SecondStage(
        _estimator(folder, contents[0]),
        None if contents[1] is None else _estimator(folder, contents[1]),
        features,
        np.array(entry["ranges"], dtype=float).reshape(len(features), 2),
    )
    _check_probe(folder, stage, entry["probe"])
    return stage


def _content(bundle: ModelBundle, name: str) -> bytes | None:
    """Return the bytes of one of the files, which are those that the manifest names."""
    part = (bundle.second_stage or {}).get(name)
    if part is None:
        return None
    try:
        path, expected = bundle.folder / FOLDER / Path(part["file"]).name, part["sha256"]
        content = path.read_bytes()
    except (OSError, KeyError, TypeError) as error:
        raise _fault(bundle.folder, f"cannot be read ({error})") from error
    if hashlib.sha256(content).hexdigest() != expected:
        cause = "is not the file that model.json was written for (SHA-256 differs)"
        raise ModelError(path, cause, ADVICE)
    return content


def _estimator(folder: Path, content: bytes) -> Any:
    """Build one estimator, if it needs nothing but trusted types."""
    try:
        import skops.io as sio

        _check_size(folder, content)
        foreign = set(sio.get_untrusted_types(data=content)) - TRUSTED
        if foreign:
            cause = f"holds what could run code ({', '.join(sorted(foreign))})"
            raise _fault(folder, cause, "do not use it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions; the probe tells whether they matter
            return sio.loads(content, trusted=sorted(TRUSTED))
    except ImportError as error:
        advice = 'pip install "napari-breastpath[train]"'
        raise _fault(folder, f"needs a package that is missing ({error})", advice) from error
    except ModelError:
        raise
    except Exception as error:  # a forged file may raise anything
        raise _fault(folder, f"is malformed ({type(error).__name__}: {error})") from error


def _check_size(folder: Path, content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except zipfile.BadZipFile as error:
        raise _fault(folder, f"is no skops file ({error})") from error
    if size > MAX_UNPACKED:
        raise _fault(folder, f"unpacks to {size} bytes", "do not use it")


def _check_probe(folder: Path, stage: SecondStage, probe: Mapping[str, Sequence[Any]]) -> None:
    """Refuse a second stage that gives other values here than where it was fitted."""
    rows = [dict(zip(stage.features, row, strict=True)) for row in probe["features"]]
    found = [stage.predict(row) for row in rows]
    given = [(p.probability, p.major_axis_mm or 0.0) for p in found]
    wanted = zip(probe["probability"], probe["major_axis_mm"], strict=True)
    if not np.allclose(given, [(p, mm or 0.0) for p, mm in wanted], rtol=1e-6, atol=1e-9):
        advice = "fit it anew with `breastpath fit-score`"
        raise _fault(folder, "gives other values here than when it was fitted", advice)
