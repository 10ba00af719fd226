"""Our networks with TIAToolbox's tensors answer as TIAToolbox's own classes do.

`tiatoolbox_reference.json` was written by `tiatoolbox_reference.py` where TIAToolbox is installed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiatoolbox_reference import FCN, IMAGE_SIZE, images, seeded_tensor

from napari_breastpath.models import ModelBundle, build_network, load_model, make_predictor
from napari_breastpath.models.foreign.tiatoolbox import manifest_of, published_names
from napari_breastpath.models.hashing import file_sha256

REFERENCE = Path(__file__).with_name("tiatoolbox_reference.json")
NETWORKS: dict[str, Any] = json.loads(REFERENCE.read_text())["networks"]


def published(folder: Path, name: str) -> ModelBundle:
    """Write a folder as it is installed, with a state dict of seeded values."""
    folder.mkdir()
    tensors = {
        key: torch.from_numpy(seeded_tensor(key, tuple(shape)))
        for key, shape in NETWORKS[name]["tensors"].items()
    }
    torch.save(tensors, folder / f"{name}.pth")
    sha256 = file_sha256(folder / f"{name}.pth")
    (folder / "model.json").write_text(json.dumps(manifest_of(name, sha256, "the test")))
    return load_model(folder)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != FCN])
def test_a_classifier_answers_as_tiatoolbox(tmp_path: Path, name: str) -> None:
    bundle = published(tmp_path / name, name)
    assert (bundle.task, bundle.tile_size, bundle.mpp) == ("classification", 96, 1.0)
    assert not bundle.runs_code
    found = make_predictor(bundle, "cpu", "torch").predict(torch.from_numpy(images()))
    wanted = np.reshape(NETWORKS[name]["values"], NETWORKS[name]["shape"])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_bcss_network_answers_as_tiatoolbox(tmp_path: Path) -> None:
    bundle = published(tmp_path / FCN, FCN)
    assert (bundle.tile_size, bundle.margin, bundle.mpp) == (512, 256, 0.25)
    assert [c.name for c in bundle.classes] == [
        "tumour", "stroma", "inflammatory", "necrosis", "other"]  # fmt: skip
    assert bundle.classes[0].role == "tumour"
    # The same network on the reference's smaller image: half of it is margin, every pixel kept.
    small = replace(bundle, tile_size=IMAGE_SIZE // 2, margin=IMAGE_SIZE // 4, output_stride=1)
    found = make_predictor(small, "cpu", "torch").predict(torch.from_numpy(images()))
    reference = NETWORKS[FCN]
    wanted = np.reshape(reference["values"], reference["shape"]).transpose(0, 3, 1, 2)
    assert np.ptp(wanted, axis=1).max() > 0.1
    np.testing.assert_allclose(found[:, :, ::4, ::4], wanted, atol=1e-5)


def test_every_published_name_has_a_network() -> None:
    for name in published_names():
        values = manifest_of(name, "0" * 64, "the test")
        assert values["weights"] == f"{name}.pth"
    assert {"resnet18-pcam", FCN} <= set(published_names())


def test_tensors_of_another_published_model_are_refused(tmp_path: Path) -> None:
    from napari_breastpath.core.errors import ModelError

    bundle = published(tmp_path / "resnet18-pcam", "resnet18-pcam")
    arguments = {"backbone": "resnet34"}
    other = replace(bundle, architecture=replace(bundle.architecture, arguments=arguments))
    with pytest.raises(ModelError, match="do not fit cnn"):
        build_network(other)
