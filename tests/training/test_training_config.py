"""A config says what is wrong with it, by key, in one line; and survives being written."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.reading import config_toml, load_config, parse_config

GOOD = """
name = "mine"
task = "segmentation"
mpp = 1
out = "run"
[[classes]]
name = "tumour"
[bundle]
licence = "CC0"
training_data = "drawn"
[[sources]]
kind = "masks"
images = "*.png"
labels = "*_mask.png"
mpp = 0.5
classes = { "Tumor: in situ" = "tumour" }
"""


def _values(text: str = GOOD) -> dict[str, Any]:
    return tomllib.loads(text)


def test_paths_are_relative_to_the_file_and_numbers_are_floats(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(GOOD, encoding="utf-8")
    config = load_config(tmp_path / "c.toml")
    assert config.out == str(tmp_path / "run")
    assert config.sources[0].images == str(tmp_path / "*.png")
    assert (config.mpp, config.sources[0].mpp) == (1.0, (0.5,))
    assert config.network.encoder_weights == ""


def test_a_config_written_out_is_the_same_config(tmp_path: Path) -> None:
    config = parse_config(_values(), tmp_path / "c.toml")
    again = parse_config(_values(config_toml(config)), Path("/elsewhere/d.toml"))
    assert again == config


@pytest.mark.parametrize("path", sorted(Path("docs/training").glob("*.toml")), ids=str)
def test_configs_that_we_ship_are_good(path: Path) -> None:
    assert load_config(path).name == path.stem


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nam": "x"}, "`nam` is unknown (`name`?)"),
        ({"fit": {"los": "focal"}}, "`fit.los` is unknown (`loss`?)"),
        ({"fit": {"loss": "mse"}}, "`fit.loss` must be one of"),
        ({"fit": {"loss": "cross_entropy"}}, "`fit.loss` must be one of bce"),
        ({"fit": {"batch": 0}}, "`fit.batch` must be greater than 0"),
        ({"fit": {"batch": 1.5}}, "`fit.batch` must be a whole number"),
        ({"fit": {"balance": 1}}, "`fit.balance` must be true or false"),
        ({"tile_size": 100}, "`tile_size` must be a multiple of 32 px"),
        ({"task": "sorting"}, "`task` must be one of"),
        ({"task": "nuclei"}, "`sources.kind` must be instances"),
        ({"mpp": -1}, "`mpp` must be greater than 0"),
        ({"augment": {"scale": [2, 1]}}, "`augment.scale` must be two positive numbers"),
        ({"input": {"space": "cmyk"}}, "`input.space` must be one of rgb"),
        ({"sources": [{"kind": "masks"}]}, "`sources.images` is missing"),
        ({"sources": []}, "`sources` must be at least one source"),
        ({"bundle": {"licence": "CC0"}}, "`bundle.training_data` is missing"),
        ({"classes": [{"name": "a", "role": "bad"}]}, "`classes.role` must be one of background"),
        ({"classes": [{"name": "a"}, {"name": "a"}]}, "must be different names"),
        ({"classes": [{"name": "a", "color": [1, 2]}]}, "`classes.color` must be three numbers"),
        ({"classes": [{"name": "a", "color": [1, 2, 300]}]}, "`classes.color` must be three"),
        ({"name": " "}, "`name` must be a text"),
        ({"bundle": {"licence": "", "training_data": "x"}}, "`bundle.licence` must be a text"),
        ({"network": {"library": "onnx"}}, "`network.library` must be one of smp, torchvision"),
        ({"input": {"std": [1, 0, 1]}}, "`input.std` must be greater than 0"),
        ({"fit": {"workers": -1}}, "`fit.workers` must be 0 or greater"),
        ({"feed": {"wrong": -0.5}}, "`feed.wrong` must be 0 or greater"),
    ],
)
def test_wrong_keys_and_values_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_config(_values() | change, Path("c.toml"))
    assert words in str(caught.value)
    assert str(caught.value).startswith("c.toml: ")


@pytest.mark.parametrize(("text", "words"), [("= 1", "is no TOML"), (None, "cannot be read")])
def test_what_is_no_config_is_said_so(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "c.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        load_config(path)


def test_the_smallest_config_of_the_documentation_is_good() -> None:
    text = Path("docs/training.md").read_text(encoding="utf-8")
    (block,) = [part.split("```")[0] for part in text.split("```toml\n")[1:]]
    assert parse_config(tomllib.loads(block), Path("c.toml")).folds == 5
