"""Bundles: what is read, what is refused, and that each refusal is one useful line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models import (
    ModelBundle,
    build_network,
    list_models,
    load_model,
    verify_model,
)
from napari_breastpath.models.bundle import MANIFEST, WEIGHTS
from napari_breastpath.models.manifest import manifest_json, parse_manifest


def one_line(error: ModelError, *parts: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert ";" in text
    assert all(part in text for part in parts), text


def rewrite(bundle: ModelBundle, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle.folder / MANIFEST
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_a_manifest_survives_writing_and_reading(small_bundle: ModelBundle) -> None:
    values = json.loads(manifest_json(small_bundle))
    assert parse_manifest(values, small_bundle.folder) == small_bundle
    assert small_bundle.map_mpp == 2.0


SPOILED: list[tuple[str, Any]] = [
    ("schema_version", 2),
    ("name", ""),
    ("version", 1),
    ("task", "divination"),
    ("architecture", {"library": "keras", "name": "FPN"}),
    ("architecture", {"name": "FPN"}),
    ("architecture", "FPN"),
    ("classes", []),
    ("classes", [{"name": "a", "color": [0, 0], "role": "tumour"}]),
    ("classes", [{"name": "a", "color": [0, 0, 300], "role": "tumour"}]),
    ("classes", [{"name": "a", "color": [0, 0, 0], "role": "evil"}]),
    ("mpp", 0),
    ("mpp", "1"),
    ("mpp", float("nan")),
    ("tile_size", 100),
    ("tile_size", 64.0),
    ("output_stride", 4),
    ("normalization", {"mean": [0.5], "std": [1]}),
    ("normalization", {"mean": [0, 0, 0], "std": [1, 1, 0]}),
    ("stain", {"method": "vahadane", "stain_matrix": [[1, 0, 0]], "max_concentration": [1, 1]}),
    ("stain", {"method": "vahadane"}),
    ("threshold", 1.5),
    ("metrics", 3),
    ("authors", "me"),
    ("sha256", "abc"),
    ("training_domain", [1]),
]


@pytest.mark.parametrize(("name", "value"), SPOILED)
def test_a_wrong_field_is_named(small_bundle: ModelBundle, name: str, value: Any) -> None:
    values = json.loads(manifest_json(small_bundle)) | {name: value}
    with pytest.raises(ModelError) as caught:
        parse_manifest(values, small_bundle.folder)
    one_line(caught.value, MANIFEST, f"`{name}`")


@pytest.mark.parametrize("name", ["name", "mpp", "classes", "architecture", "licence", "sha256"])
def test_a_missing_field_is_named(small_bundle: ModelBundle, name: str) -> None:
    values = json.loads(manifest_json(small_bundle))
    del values[name]
    with pytest.raises(ModelError) as caught:
        parse_manifest(values, small_bundle.folder)
    one_line(caught.value, f"`{name}` is missing")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted({name for name, _ in SPOILED})), value=json_values)
def test_whatever_stands_in_a_field_it_is_read_or_refused(name: str, value: Any) -> None:
    values = MINIMAL | {name: value}
    try:
        bundle = parse_manifest(values, Path("somewhere"))
    except ModelError as error:
        one_line(error, f"`{name}`" if name != "mpp" else "`")
    else:
        assert bundle.map_mpp >= 2


MINIMAL: dict[str, Any] = {
    "schema_version": 1,
    "name": "n",
    "version": "1",
    "task": "segmentation",
    "architecture": {"library": "smp", "name": "FPN"},
    "classes": [{"name": "a", "color": [0, 0, 0], "role": "tumour"}],
    "mpp": 3.5,
    "tile_size": 256,
    "normalization": {"mean": [0, 0, 0], "std": [1, 1, 1]},
    "training_data": "none",
    "metrics": {},
    "licence": "CC0-1.0",
    "authors": ["nobody"],
    "intended_use": "tests",
    "sha256": "0" * 64,
}


def test_defaults_of_a_minimal_manifest() -> None:
    bundle = parse_manifest(MINIMAL, Path("somewhere"))
    assert (bundle.output_stride, bundle.threshold, bundle.stain) == (1, 0.5, None)


def test_a_changed_weight_is_noticed(own_bundle: ModelBundle) -> None:
    content = bytearray(own_bundle.weights.read_bytes())
    content[-1] ^= 1
    own_bundle.weights.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_model(own_bundle.folder)
    one_line(caught.value, WEIGHTS, "SHA-256")


def test_tensors_of_another_network_are_refused(own_bundle: ModelBundle) -> None:
    rewrite(own_bundle, lambda v: v["architecture"]["arguments"].update(encoder_name="resnet18"))
    with pytest.raises(ModelError) as caught:
        build_network(load_model(own_bundle.folder))
    one_line(caught.value, "do not fit FPN")


@pytest.mark.parametrize(
    "architecture",
    [
        {"library": "smp", "name": "Oracle", "arguments": {}},
        {"library": "smp", "name": "FPN", "arguments": {"encoder_name": "no-such-encoder"}},
        {"library": "torchvision", "name": "resnet0", "arguments": {}},
    ],
)
def test_an_unknown_architecture_is_one_line(own_bundle: ModelBundle, architecture: Any) -> None:
    rewrite(own_bundle, lambda v: v.update(architecture=architecture))
    with pytest.raises(ModelError) as caught:
        build_network(load_model(own_bundle.folder))
    one_line(caught.value, architecture["name"], "cannot build")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".pkl"])
def test_pickles_are_refused_unopened(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"not even a pickle")
    for wanted in (path, tmp_path):
        with pytest.raises(ModelError) as caught:
            load_model(wanted)
        one_line(caught.value, path.name, "pickled")


def test_missing_files_are_named(tmp_path: Path, own_bundle: ModelBundle) -> None:
    with pytest.raises(ModelError, match=r"lacks model\.json and model\.safetensors"):
        load_model(tmp_path / "own/..")
    (own_bundle.folder / MANIFEST).unlink()
    with pytest.raises(ModelError, match=r"lacks model\.json;"):
        load_model(own_bundle.folder)
    own_bundle.weights.unlink()
    with pytest.raises(ModelError, match=r"lacks"):
        load_model(own_bundle.folder)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError) as caught:
        load_model("no-such-model")
    one_line(caught.value, "no such model", "tumour-demo")


def test_installed_models_are_found_by_name(
    own_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = own_bundle.folder.parent
    monkeypatch.setenv("BREASTPATH_MODELS", str(root))
    assert load_model("own").sha256 == own_bundle.sha256
    (root / "broken").mkdir()
    (root / "broken" / MANIFEST).write_text("{")
    names = [bundle.folder.name for bundle in list_models()]
    assert "own" in names
    assert "broken" not in names
    assert "broken" in caplog.text


def test_the_embedded_model_is_whole() -> None:
    bundle = load_model("tumour-demo")
    assert verify_model("tumour-demo").startswith("tumour-demo ")
    assert (bundle.mpp, bundle.tile_size, bundle.output_stride) == (1.0, 256, 2)
    assert [c.role for c in bundle.classes] == ["tumour"]
    assert bundle.stain is not None
    assert bundle.weights.stat().st_size < 12e6
    assert "not validated" in bundle.card.read_text(encoding="utf-8")


def test_a_network_gives_logits_of_the_input_size(small_bundle: ModelBundle) -> None:
    network = build_network(small_bundle)
    with torch.inference_mode():
        logits = network(torch.randn(2, 3, 64, 96))
    assert logits.shape == (2, 1, 64, 96)
    assert not network.training
