"""Every model that comes with the package is whole, small, and says what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from napari_breastpath.models import load_model, make_predictor, verify_model
from napari_breastpath.models.places import EMBEDDED

NAMES = sorted(folder.parent.name for folder in EMBEDDED.glob("*/model.json"))


def figures_in(values: Any) -> Iterator[float]:
    """Every fraction in nested metrics."""
    if isinstance(values, dict | list):
        for each in values.values() if isinstance(values, dict) else values:
            yield from figures_in(each)
    elif isinstance(values, float):
        yield values


def test_what_is_embedded() -> None:
    assert NAMES == ["mitosis-demo", "nuclei-he", "tumour-demo"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_whole_and_small(name: str) -> None:
    bundle = load_model(name)
    assert bundle.name == name
    assert bundle.sha256 in verify_model(name)
    assert bundle.weights.stat().st_size < 12e6
    assert bundle.stain is not None


@pytest.mark.parametrize("name", NAMES)
def test_its_card_holds_its_figures_and_licences(name: str) -> None:
    bundle = load_model(name)
    card = bundle.card.read_text(encoding="utf-8")
    measured = list(figures_in(bundle.metrics.get("held out", bundle.metrics)))
    assert measured
    assert all(f"{value:.3f}" in card for value in measured)
    assert all(text in card for text in (bundle.licence, bundle.intended_use, "not validated"))


def test_mitosis_demo_is_silent_where_nothing_is_and_offers_no_tumour() -> None:
    bundle = load_model("mitosis-demo")
    assert bundle.task == "detection"
    assert not {one.role for one in bundle.classes} & {"tumour", "invasive"}
    tiles = np.stack([np.full((256, 256, 3), grey, np.uint8) for grey in (255, 128, 0)])
    heat = make_predictor(bundle, "cpu", "torch").predict(torch.from_numpy(tiles))
    assert heat.max() < bundle.threshold
