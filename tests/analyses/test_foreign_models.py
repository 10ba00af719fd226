"""Other people's models through the whole analysis."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import foreign_models as make
from analyses_helpers import heat
from napari_breastpath import analyze, load_model
from napari_breastpath.cli import main
from napari_breastpath.core.errors import ModelError
from napari_breastpath.core.geometry import Box
from napari_breastpath.exchange.wsinfer import run_grid
from napari_breastpath.models import trust_model
from napari_breastpath.models.hashing import file_sha256
from napari_breastpath.results import load_result
from napari_breastpath.slides import open_slide

REGION = Box(300, 300, 1200, 1000)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo folder that is not trusted yet."""
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))
    return make.zoo_folder(tmp_path / "zoo")


def naive(drawn: Path, folder: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return what a plain loop over patches of 100 µm paints: uint8 (class, y, x)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torch.jit.load(str(folder / "torchscript_model.pt"))
    mean, std = torch.tensor([0.7, 0.6, 0.7]), torch.tensor([0.1, 0.2, 0.1])
    painted = np.zeros((2, *shape), np.uint8)
    with open_slide(drawn) as slide:
        side = 100.0 / slide.mpp.x
        for row in range(-(-shape[0] // 32)):
            for column in range(-(-shape[1] // 32)):
                patch = slide.read(column * side, row * side, side, side, mpp=100 / 64)
                image = ((torch.from_numpy(patch) / 255 - mean) / std).permute(2, 0, 1)[None]
                p = network(image).softmax(1)[0].detach().numpy()
                rows, columns = slice(row * 32, row * 32 + 32), slice(column * 32, column * 32 + 32)
                value = np.clip(np.rint(p * 255), 1, 255).astype(np.uint8)
                painted[:, rows, columns] = value[:, None, None]
    return painted


def test_a_zoo_folder_is_analysed_as_a_plain_loop_would(drawn: Path, zoo: Path) -> None:
    out = zoo.parent / "out"
    run = ["analyze", str(drawn), "--out", str(out), "--model", str(zoo), "--tissue", "none"]
    assert main(run) == 1
    assert not list(out.glob("*.breastpath")), "an untrusted program left a result"
    assert main(["models", "trust", str(zoo), "--yes"]) == 0
    assert main(run) == 0
    result = load_result(next(out.iterdir()))
    values = heat(result)
    np.testing.assert_array_equal(values, naive(drawn, zoo, values.shape[1:]))
    assert len(np.unique(values[1])) > 20
    record = result.record
    assert record["settings"]["overlap"] == 0
    assert any("names no stain" in text for text in record["warnings"])
    assert run_grid(result).overlap == 0
    assert main(run) == 0, "the same request goes on with the same result"


def test_an_untrusted_program_is_not_run(drawn: Path, zoo: Path) -> None:
    with pytest.raises(ModelError, match="not trusted"):
        analyze(drawn, zoo.parent / "out", model=zoo)


@pytest.mark.parametrize("margin", [0, 32])
def test_a_margin_is_seen_and_not_painted(drawn: Path, zoo: Path, margin: int) -> None:
    """A pixelwise network gives the same map with a margin as without one, but at tile edges."""
    folder = zoo.parent / "pixels"
    file = make.scripted(folder / "net.pt", make.Pixels(), 64)
    bundle = load_model(
        make.described(folder, "torchscript", file.name, file_sha256(file), margin=margin)
    )
    trust_model(bundle)
    result = analyze(drawn, folder / "out", model=bundle, tissue="none", region=REGION)
    plain = analyze(
        drawn, folder / "plain", model=dataclasses.replace(bundle, margin=0, tile_size=256),
        tissue="none", region=REGION,
    )  # fmt: skip
    difference = np.abs(heat(result).astype(int) - heat(plain))
    assert difference[:, ::8, ::8].max() <= 12
    assert np.mean(difference > 1) < 0.1
