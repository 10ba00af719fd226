"""ncnn beside the other engines: taken where it is the fastest, left where it cannot be trusted."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_breastpath.core.errors import InferenceError
from napari_breastpath.models import Architecture, Device, ModelBundle, load_model, make_predictor
from napari_breastpath.models.graph import cache_folder
from napari_breastpath.models.networks import empty_network
from napari_breastpath.models.runtime import is_installed
from napari_breastpath.models.saving import save_model

pytestmark = pytest.mark.skipif(not is_installed("ncnn"), reason="ncnn or pnnx is not installed")
CPU = Device("cpu", "for the test")
TILES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8))
RESNET = Architecture(
    "smp",
    "FPN",
    {
        "encoder_name": "resnet18",
        "encoder_depth": 5,
        "decoder_pyramid_channels": 32,
        "decoder_segmentation_channels": 32,
    },
)


@pytest.fixture(params=[1])
def dense_bundle(
    request: pytest.FixtureRequest, tmp_path: Path, bundle_of: Callable[..., ModelBundle]
) -> ModelBundle:
    """A network without depthwise convolutions, of one class."""
    classes = request.param
    bundle = bundle_of(tmp_path / "dense", classes)
    bundle = dataclasses.replace(bundle, architecture=RESNET, temperature=0.1)
    torch.manual_seed(0)
    return load_model(save_model(bundle, empty_network(RESNET, classes, bundle.folder)).folder)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREASTPATH_CACHE", str(tmp_path / "cache"))


def kept() -> list[Path]:
    return sorted(cache_folder().glob("*ncnn*"))


@pytest.mark.parametrize("dense_bundle", [1, 3], indirect=True)
def test_it_is_chosen_for_dense_convolutions_and_agrees(dense_bundle: ModelBundle) -> None:
    predictor = make_predictor(dense_bundle, CPU, threads=2)
    assert (predictor.engine, predictor.streams) == ("ncnn", 2)
    expected = make_predictor(dense_bundle, CPU, "torch", threads=1).predict(TILES)
    np.testing.assert_allclose(predictor.predict(TILES), expected, atol=1e-4)
    (graph,) = kept()
    written = graph.stat().st_mtime_ns
    again = make_predictor(dense_bundle, CPU, threads=2)
    np.testing.assert_array_equal(again.predict(TILES), predictor.predict(TILES))
    assert graph.stat().st_mtime_ns == written


def test_depthwise_convolutions_go_elsewhere(small_bundle: ModelBundle) -> None:
    predictor = make_predictor(small_bundle, CPU, threads=1)
    assert predictor.engine != "ncnn"
    assert not kept()


@pytest.mark.parametrize(
    ("part", "value", "cause"),
    [
        ("napari_breastpath.models.ncnn_graph.MOST_DIFFERENT", -1.0, "differs from PyTorch"),
        ("pnnx.EXEC_PATH", sys.executable, "pnnx cannot convert it"),
    ],
)
def test_what_it_cannot_do_is_remembered(
    dense_bundle: ModelBundle,
    part: str,
    value: object,
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(part, value)
        predictor = make_predictor(dense_bundle, CPU, threads=1)
        assert predictor.engine != "ncnn"
        assert "ncnn refuses this network" in predictor.engine_reason
    before = {file: file.stat().st_mtime_ns for file in cache_folder().iterdir()}
    assert make_predictor(dense_bundle, CPU, threads=1).engine == predictor.engine
    with pytest.raises(InferenceError, match=cause):  # not tried again
        make_predictor(dense_bundle, CPU, "ncnn", threads=1)
    assert {file: file.stat().st_mtime_ns for file in cache_folder().iterdir()} == before


def test_a_machine_without_the_converter_is_no_verdict(
    dense_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pnnx.EXEC_PATH", "no-such-program")
        assert make_predictor(dense_bundle, CPU, threads=1).engine != "ncnn"
    assert make_predictor(dense_bundle, CPU, threads=1).engine == "ncnn"


def test_a_damaged_graph_is_made_anew(dense_bundle: ModelBundle) -> None:
    make_predictor(dense_bundle, CPU, "ncnn", threads=1)
    (graph,) = kept()
    whole = graph.read_bytes()
    graph.write_bytes(whole[:1000])
    assert make_predictor(dense_bundle, CPU, "ncnn", threads=1).predict(TILES).size
    assert len(graph.read_bytes()) == len(whole)


def test_tiles_of_another_size_are_refused(dense_bundle: ModelBundle) -> None:
    predictor = make_predictor(dense_bundle, CPU, "ncnn", threads=1)
    with pytest.raises(InferenceError, match="64 × 64"):
        predictor.predict(TILES[:, :32, :32])
