"""The engine alone: lack of memory, NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_breastpath import load_model, open_slide
from napari_breastpath.analyses import Request, Run
from napari_breastpath.core.errors import (
    InferenceError,
)
from napari_breastpath.inference import engine, initial_states, plan_run
from napari_breastpath.models import OutOfMemory, Predictor, make_predictor
from napari_breastpath.results import MapStore
from napari_breastpath.results.maps import DONE, FAILED


class Altered:
    """The real network with something happening to it."""

    def __init__(self, inner: Predictor, forgets_above: int = 99, nan_at: int = -1) -> None:
        self._inner, self._forgets_above, self._nan_at = inner, forgets_above, nan_at
        self._seen = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def predict(self, batch: Any) -> Any:
        if len(batch) > self._forgets_above:
            raise OutOfMemory("gpu", "out of memory", "use smaller batches")
        answers = np.array(self._inner.predict(batch))
        if self._seen <= self._nan_at < self._seen + len(batch):
            answers[self._nan_at - self._seen] = np.nan
        self._seen += len(batch)
        return answers


def engine_run(
    drawn: Path, out: Path, normalizer: Any = None, **altered: int
) -> tuple[engine.Outcome, np.ndarray, Altered]:
    """Run the engine alone over a corner of the slide, without stain normalisation."""
    bundle = load_model("tumour-demo")
    with open_slide(drawn) as slide:
        run = Run(slide, bundle, Request(stain="none", tissue="none"), lambda progress: None)
        store = MapStore.create(
            out, run.grid.map_lattice, slide.mpp, [("tumour", (200, 0, 0))], run.grid.shape, 3
        )
        predictor = Altered(make_predictor(bundle, "cpu", "torch", 4), **altered)
        wanted = np.zeros(run.grid.shape, bool)
        wanted[:2, :2] = True
        states = initial_states(wanted, store.tile_state)
        analysed = np.ones(run.tissue_lattice.shape, bool)
        job = engine.Job(
            slide, run.grid, store, predictor, analysed, run.factor, states, normalizer
        )
        plan = plan_run(job.blocks, wanted, states, store.block_state)
        outcome = engine.run(job, plan)
    return outcome, np.asarray(store.probability.levels[0][:]), predictor


def test_out_of_memory_halves_the_batch_and_goes_on(drawn: Path, tmp_path: Path) -> None:
    plenty, expected, _ = engine_run(drawn, tmp_path / "a")
    scarce, found, _ = engine_run(drawn, tmp_path / "b", forgets_above=1)
    assert (plenty.batch_size, scarce.batch_size) == (4, 1)
    assert np.abs(expected.astype(int) - found).max() <= 1
    with pytest.raises(InferenceError, match="no memory for a single tile"):
        engine_run(drawn, tmp_path / "c", forgets_above=0)


def test_the_stain_too_may_lack_memory(drawn: Path, tmp_path: Path) -> None:
    class Forgetful:
        def transform_batch(self, batch: Any) -> Any:
            if len(batch) > 2:
                raise torch.OutOfMemoryError("no memory")
            return batch

    outcome, _, _ = engine_run(drawn, tmp_path / "a", Forgetful())
    assert outcome.batch_size == 2
    assert (outcome.states == DONE).sum() == 4


def test_nan_is_a_failed_tile_and_not_a_number(drawn: Path, tmp_path: Path) -> None:
    outcome, heatmap, _ = engine_run(drawn, tmp_path / "a", nan_at=1)
    assert (outcome.states == FAILED).sum() == 1
    assert (outcome.states == DONE).sum() == 3
    assert "NaN" in outcome.failures[0]
    assert (heatmap[0, :100, :100] > 0).all()
