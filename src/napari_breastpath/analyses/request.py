"""What a caller asked for, how it is recorded, and whether an old result is the same request."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.core.geometry import Box
from napari_breastpath.models import ModelBundle
from napari_breastpath.results import Result
from napari_breastpath.slides import Slide

Polygon = Sequence[tuple[float, float]]
Region = Box | Sequence[Polygon]
CHOICES = {
    "stain": ("vahadane", "macenko", "staintools", "none"),
    "specimen": ("node", "primary", "unspecified"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "engine": ("auto", "torch", "ncnn", "onnxruntime", "openvino"),
    "order": ("coarse", "rows"),
}
TISSUE_METHODS = ("otsu", "yen", "none")
OVERLAP_PX = 32
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Request:
    """One analysis as asked for.

    Attributes
    ----------
    analysis : str
    stain : str
        `vahadane`, `macenko`, `staintools` or `none`.
    tissue : str
        `otsu`, `yen`, `none` or the path of a mask.
    threshold : float
        Probability above which a pixel belongs to a one-class mask, in (0, 1).
    specimen : str
        `node`, `primary` or `unspecified`.
    device, engine : str
        `auto` or a name.
    region : Box, sequence of polygons or None
        Level-0 pixels; None is the whole slide.
    overlap : int
        Pixels that neighbouring tiles share, at the model's µm/px.
    batch_size, threads : int or None
        Tiles a batch and CPU threads of the network; None lets the machine decide. A run that is
        gone on with keeps its own threads, however many workers share the processor now.
    order : str
        `rows`: from top to bottom; `coarse`: first a block of the map in every 4 × 4, so that who
        looks on can judge all of the slide early; of a huge slide more blocks are then in work.
    """

    analysis: str = "tumour"
    stain: str = "vahadane"
    tissue: str = "otsu"
    threshold: float = DEFAULT_THRESHOLD
    specimen: str = "unspecified"
    device: str = "auto"
    engine: str = "auto"
    region: Region | None = None
    overlap: int = OVERLAP_PX
    batch_size: int | None = None
    threads: int | None = None
    order: str = "rows"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                wrong = f"no {name} {getattr(self, name)!r}"
                raise UsageError("analyze", wrong, f"choose one of {', '.join(choices)}")
        if not 0 < self.threshold < 1:
            raise UsageError("analyze", f"threshold {self.threshold}", "give one between 0 and 1")
        if self.tissue not in TISSUE_METHODS and not Path(self.tissue).is_file():
            methods = ", ".join(TISSUE_METHODS)
            raise UsageError("analyze", f"no tissue file {self.tissue}", f"or choose of {methods}")
        if self.region is not None and not np.isfinite(self._region_values()).all():
            advice = "give finite numbers, level-0 pixels"
            raise UsageError("--region", f"not a place: {_brief(self.region_record())}", advice)

    def _region_values(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.concatenate([np.ravel(part) for part in self.region_record() or [0.0]])

    def for_model(self, bundle: ModelBundle) -> Request:
        """Return the request as it is run: a classifier's tiles lie side by side."""
        return replace(self, overlap=0) if bundle.task == "classification" else self

    def settings(self) -> dict[str, Any]:
        """Return the part of the request that result.json's `settings` holds."""
        return asdict(self) | {"region": self.region_record(), "tissue": self.tissue_record()}

    def region_record(self) -> list[Any] | None:
        """Return the region as JSON: [x, y, width, height], a list of polygons or None."""
        if self.region is None:
            return None
        if isinstance(self.region, Box):
            return [self.region.x, self.region.y, self.region.width, self.region.height]
        return [[[float(x), float(y)] for x, y in polygon] for polygon in self.region]

    def tissue_record(self) -> str:
        """Return the tissue method, for a file its name and hash."""
        if self.tissue in TISSUE_METHODS:
            return self.tissue
        digest = hashlib.sha256(Path(self.tissue).read_bytes()).hexdigest()
        return f"{Path(self.tissue).name} (sha256 {digest[:16]})"


def check_same(result: Result, request: Request, slide: Slide, bundle: ModelBundle) -> None:
    """Raise `UsageError` naming the first thing in which an old result differs from a request."""
    old, now = result.record, request.for_model(bundle).settings()
    pairs: list[tuple[str, Any, Any]] = [
        ("slide", old["slide"]["fingerprint"], slide.fingerprint),
        ("model", old["model"]["sha256"], bundle.sha256),
        ("µm/px", [old["slide"]["mpp_x"], old["slide"]["mpp_y"]], [slide.mpp.x, slide.mpp.y]),
    ]
    pairs += [
        (name, old["settings"].get(name), now[name])
        for name in ("stain", "tissue", "threshold", "specimen", "region", "overlap")
    ]
    pairs += [
        (name, old["settings"].get(name), now[name])
        for name in ("device", "engine", "batch_size")
        if now[name] not in ("auto", None)
    ]
    for name, then, wanted in pairs:
        if then != wanted:
            advice = "use --no-resume to start anew (the old folder is kept)"
            if name in ("threshold", "specimen"):
                advice = f"`breastpath measure` changes the {name} of a result; or {advice}"
            raise UsageError(
                result.path,
                f"has another {name}: {_brief(then)}, asked for {_brief(wanted)}",
                advice,
            )


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def check_model(request: Request, bundle: ModelBundle) -> None:
    """Raise `UsageError` for a model that paints no regions, or a threshold that it has no use for.

    Heat around points is none of a region. Of several classes the likeliest wins, at any threshold.
    """
    if bundle.task == "detection":
        cause = "gives heat around single points, and no regions"
        raise UsageError(bundle.name, cause, "choose a model that segments or classifies")
    if len(bundle.classes) > 1 and request.threshold != DEFAULT_THRESHOLD:
        cause = f"threshold {request.threshold} for a model of {len(bundle.classes)} classes"
        raise UsageError(bundle.name, cause, "leave out --threshold: the likeliest class wins")


def check_status(result: Result) -> None:
    """Raise `ResultError` for a result that cannot be gone on with."""
    if result.status == "failed":
        raise ResultError(result.path, "failed before", "use --no-resume to start anew")
