"""A small random bundle, written once."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from napari_breastpath.models import (
    Architecture,
    ClassInfo,
    ModelBundle,
    Normalization,
    load_model,
    save_model,
)
from napari_breastpath.models.networks import empty_network

ARCHITECTURE = Architecture(
    "smp",
    "FPN",
    {
        "encoder_name": "mobilenet_v2",
        "decoder_pyramid_channels": 32,
        "decoder_segmentation_channels": 32,
    },
)


def make_bundle(folder: Path, classes: int = 1, mpp: float = 1.0) -> ModelBundle:
    bundle = ModelBundle(
        folder=folder,
        name=folder.name,
        version="1",
        task="segmentation",
        architecture=ARCHITECTURE,
        classes=tuple(ClassInfo(f"class {n}", (n, 0, 0), "other") for n in range(classes)),
        mpp=mpp,
        tile_size=64,
        output_stride=2,
        normalization=Normalization((0.5, 0.5, 0.5), (0.5, 0.4, 0.3)),
        stain=None,
        threshold=0.5,
        training_data="random numbers",
        metrics={},
        licence="CC0-1.0",
        authors=("nobody",),
        intended_use="tests",
        sha256="0" * 64,
    )
    torch.manual_seed(0)
    return save_model(bundle, empty_network(ARCHITECTURE, classes, folder))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BREASTPATH_CACHE", str(tmp_path_factory.mktemp("graphs")))
        yield


@pytest.fixture(scope="session")
def bundle_of() -> Callable[..., ModelBundle]:
    """Write a random bundle into a folder: `bundle_of(folder, classes=1, mpp=1.0)`."""
    return make_bundle


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """One class, 64 px tiles, output stride 2."""
    return load_model(make_bundle(tmp_path_factory.mktemp("models") / "small").folder)


@pytest.fixture
def own_bundle(small_bundle: ModelBundle, tmp_path: Path) -> ModelBundle:
    """A copy that a test may spoil."""
    folder = Path(shutil.copytree(small_bundle.folder, tmp_path / "own"))
    return dataclasses.replace(small_bundle, folder=folder)
