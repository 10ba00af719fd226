"""Other people's formats: what is read of them, what they answer, what is refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import foreign_models as make
from napari_breastpath.core.errors import BreastPathError, InferenceError, ModelError
from napari_breastpath.models import (
    ModelBundle,
    build_network,
    list_models,
    load_model,
    make_predictor,
    trust_model,
    verify_model,
)
from napari_breastpath.models.foreign.describing import UNSTATED
from napari_breastpath.models.foreign.words import role_of
from napari_breastpath.models.hashing import file_sha256


@pytest.fixture(autouse=True)
def _own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))


class OnePixel(make.Pixels):
    """Logits of the whole patch, (N, C, 1, 1), as MONAI's pathology_tumor_detection gives them."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images).mean(dim=(2, 3), keepdim=True)


def one_line(error: BreastPathError, *parts: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert all(part in text for part in parts), text


def answers(bundle: ModelBundle, tiles: np.ndarray, **options: Any) -> np.ndarray:
    return make_predictor(bundle, "cpu", **options).predict(torch.from_numpy(tiles))


def tiles(size: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def test_a_zoo_folder_says_what_it_is(tmp_path: Path) -> None:
    bundle = load_model(make.zoo_folder(tmp_path / "zoo"))
    assert (bundle.task, bundle.format, bundle.runs_code) == ("classification", "torchscript", True)
    # 100 px of 1 µm are read as 64 px, 16 or fewer of which make a map pixel of at least 2 µm.
    assert bundle.mpp * bundle.tile_size == pytest.approx(100.0)
    assert (bundle.tile_size, bundle.output_stride) == (64, 2)
    assert bundle.licence == "cc-by-nc-4.0"
    assert [(c.name, c.role) for c in bundle.classes] == [
        ("noTumor", "background"),
        ("Tumor", "tumour"),
    ]
    assert str(tmp_path) in bundle.origin
    assert "not run by us" in bundle.intended_use


@pytest.mark.parametrize(("classes", "names"), [(2, ["noTumor", "Tumor"]), (1, ["tumor"])])
def test_a_zoo_network_answers_as_wsinfer_calls_it(
    tmp_path: Path, classes: int, names: list[str]
) -> None:
    folder = make.zoo_folder(tmp_path / "zoo", num_classes=classes, class_names=names)
    bundle = load_model(folder)
    trust_model(bundle)
    given = tiles(64)
    mean, std = torch.tensor([0.7, 0.6, 0.7]), torch.tensor([0.1, 0.2, 0.1])
    images = ((torch.from_numpy(given) / 255 - mean) / std).permute(0, 3, 1, 2)
    logits = make.Patches(classes)(images).detach()
    wanted = logits.softmax(1) if classes > 1 else logits.sigmoid()
    np.testing.assert_allclose(answers(bundle, given), wanted.numpy(), atol=1e-6)


def test_tensors_of_a_zoo_folder_need_no_trust(tmp_path: Path) -> None:
    import timm

    folder = make.zoo_folder(tmp_path / "zoo")
    (folder / "torchscript_model.pt").unlink()
    network = timm.create_model("resnet18", num_classes=2)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    bundle = load_model(folder)
    assert (bundle.format, bundle.architecture.library) == ("state_dict", "timm")
    assert answers(bundle, tiles(64)).shape == (3, 2)
    make.write_json(folder / "config.json", make.zoo_config(architecture="resnet34"))
    with pytest.raises(ModelError, match="do not fit resnet34"):
        build_network(load_model(folder))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spec_version": "2.0"}, "specification"),
        ({"num_classes": 3}, "num_classes"),
        ({"class_names": ["a", "a"]}, "class_names"),
        ({"spacing_um_px": 0}, "spacing_um_px"),
        ({"patch_size_pixels": "350"}, "patch_size_pixels"),
        ({"transform": [{"name": "CenterCrop"}]}, "CenterCrop"),
        ({"transform": [{"name": "Resize", "arguments": {"size": [64, 32]}}]}, "transform"),
        ({"transform": [{"name": "ToTensor"}, {"name": "Resize"}]}, "order"),
        ({"transform": 3}, "transform"),
    ],
)
def test_a_wrong_zoo_config_is_named(tmp_path: Path, changes: Any, told: str) -> None:
    folder = make.zoo_folder(tmp_path / "zoo")
    make.write_json(folder / "config.json", make.zoo_config(**changes))
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    one_line(caught.value, "config.json", told)


@pytest.mark.parametrize(("patch", "stride"), [(224, 8), (175, 7), (96, 8), (7, 7)])
def test_a_patch_is_a_whole_number_of_map_pixels(tmp_path: Path, patch: int, stride: int) -> None:
    plain = {"patch_size_pixels": patch, "spacing_um_px": 0.3, "transform": [{"name": "ToTensor"}]}
    bundle = load_model(make.zoo_folder(tmp_path / "zoo", **plain))
    assert (bundle.output_stride, bundle.tile_size) == (stride, patch)


def test_a_monai_bundle_is_read_without_its_configurations(tmp_path: Path) -> None:
    folder = make.monai_folder(tmp_path / "monai")
    make.write_json(folder / "configs" / "inference.json", {"network": {"_target_": "os.abort"}})
    bundle = load_model(folder)
    assert (bundle.task, bundle.mpp, bundle.tile_size) == ("segmentation", 2.0, 64)
    assert [c.role for c in bundle.classes] == ["background", "tumour"]
    assert bundle.licence == "Apache License 2.0"
    trust_model(bundle)
    given = tiles(64)
    images = torch.from_numpy(given).permute(0, 3, 1, 2) / 255
    wanted = make.Pixels()(images).softmax(1).detach().numpy()
    np.testing.assert_allclose(answers(bundle, given), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"network_data_format": {"inputs": {}, "outputs": {}}}, "network_data_format"),
        ({"pixel_spacing_um": -1}, "pixel_spacing_um"),
        ({"network": {"_target_": "os.system"}}, "_target_"),
        ({"description": "$__import__('os').system('true')"}, "_target_"),
    ],
)
def test_wrong_monai_metadata_are_named(tmp_path: Path, changes: Any, told: str) -> None:
    folder = make.monai_folder(tmp_path / "monai", **changes)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    one_line(caught.value, "metadata.json", told)


def test_a_monai_bundle_of_code_alone_is_refused(tmp_path: Path) -> None:
    folder = make.monai_folder(tmp_path / "monai")
    (folder / "models" / "model.ts").unlink()
    config = make.write_json(folder / "configs" / "inference.json", {"net": {"_target_": "x.Y"}})
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    one_line(caught.value, "inference.json", "never run")
    with pytest.raises(ModelError, match="configuration with code"):
        load_model(config)


def test_a_monai_classifier_may_end_in_one_pixel(tmp_path: Path) -> None:
    data = make.monai_metadata()
    data["network_data_format"]["outputs"]["pred"] |= {"spatial_shape": [1, 1]}
    folder = make.monai_folder(tmp_path / "monai", **data)
    make.scripted(folder / "models" / "model.ts", OnePixel(), 64)
    bundle = load_model(folder)
    assert "none was published to compare with" in verify_model(folder)
    trust_model(bundle)
    given = tiles(64)
    images = torch.from_numpy(given).permute(0, 3, 1, 2) / 255
    wanted = OnePixel()(images).flatten(1).softmax(1).detach().numpy()
    found = answers(bundle, given)
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.fixture(params=["torchscript", "onnx", "onnx of one image"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a described network, TorchScript or ONNX."""
    library, *one = request.param.split(" of ")
    folder, network = tmp_path / library, make.Pixels().eval()
    file = folder / ("net.pt" if library == "torchscript" else "net.onnx")
    make.scripted(folder / "net.pt", network, 64)
    if library == "onnx":
        pytest.importorskip("onnxruntime")
        axes = {} if one else {"x": {0: "n"}}
        images = (torch.zeros(1, 3, 64, 64),)
        torch.onnx.export(network, images, file, dynamo=False, dynamic_axes=axes, input_names=["x"])
    make.described(folder, library, file.name, file_sha256(file))
    return folder


@pytest.mark.filterwarnings("ignore")
def test_a_described_program_runs_once_it_is_trusted(program: Path) -> None:
    bundle = load_model(program)
    assert bundle.format == program.name
    assert load_model(bundle.weights) == bundle
    with pytest.raises(ModelError) as caught:
        make_predictor(bundle, "cpu")
    one_line(caught.value, "not trusted", bundle.sha256, "breastpath models trust")
    assert "not run" in verify_model(program)
    trust_model(bundle)
    assert "parameters" in verify_model(program)
    given = tiles(64)
    wanted = make.Pixels()(torch.from_numpy(given).permute(0, 3, 1, 2) / 255).softmax(1)
    found = answers(bundle, given)
    np.testing.assert_allclose(found, wanted.detach().numpy(), atol=1e-5)
    assert make_predictor(bundle, "cpu", threads=2).streams == 1, "it has all threads for itself"
    with pytest.raises(InferenceError, match="use --engine"):
        make_predictor(bundle, "cpu", engine="openvino")


@pytest.mark.filterwarnings("ignore")
def test_a_program_that_changes_loses_its_trust(program: Path) -> None:
    bundle = load_model(program)
    trust_model(bundle)
    bundle.weights.write_bytes(bundle.weights.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(program)
    with pytest.raises(ModelError, match="changed since it was trusted"):
        make_predictor(bundle, "cpu")


def test_the_activation_must_be_declared(tmp_path: Path) -> None:
    file = make.scripted(tmp_path / "own" / "net.pt", make.Pixels(), 64)
    path = make.described(file.parent, "torchscript", "net.pt", file_sha256(file))
    path.write_text(path.read_text().replace('"outputs": "logits", ', ""))
    with pytest.raises(ModelError, match="`outputs` is missing"):
        load_model(file.parent)


@pytest.mark.parametrize("changes", [{"task": "classification"}, {"tile_size": 7}, {"classes": [
    {"name": "a", "color": [0, 0, 0], "role": "other"}]}])  # fmt: skip
def test_an_answer_of_another_shape_is_refused(tmp_path: Path, changes: Any) -> None:
    file = make.scripted(tmp_path / "own" / "net.pt", torch.nn.Conv2d(3, 2, 8, 8), 64)
    make.described(file.parent, "torchscript", "net.pt", file_sha256(file), **changes)
    bundle = load_model(file.parent)
    trust_model(bundle)
    with pytest.raises(ModelError, match=r"gives|does not take"):
        build_network(bundle)


@pytest.mark.parametrize("name", ["../net.pt", "/net.pt", "a/b.pt", "..", "C:net.pt", ""])
def test_weights_lie_in_their_own_folder(tmp_path: Path, name: str) -> None:
    make.described(tmp_path / "own", "torchscript", name, "0" * 64)
    with pytest.raises(ModelError, match="`architecture`"):
        load_model(tmp_path / "own")


def test_margins_are_cut_off() -> None:
    from napari_breastpath.models.graph import without_margin

    values = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert torch.equal(without_margin(values, 2, 4), values[:, :, 2:6, 2:6])
    assert torch.equal(without_margin(values, 4, 8), values)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Tumor", "tumour"), ("noTumor", "background"), ("no_tumor", "background"),
        ("nolymphnodemets", "background"), ("lymphnodemets", "tumour"), ("tumor", "tumour"),
        ("non-invasive", "background"), ("Invasive carcinoma", "invasive"), ("DCIS", "in_situ"),
        ("Stroma", "other"), ("abnormal", "other"), ("normal duct", "background"),
        ("nodule", "other"), ("benign", "benign"),
    ],
)  # fmt: skip
def test_roles_from_names(name: str, role: str) -> None:
    assert role_of(name) == role


def test_installed_foreign_models_are_listed(tmp_path: Path) -> None:
    make.zoo_folder(tmp_path / "models" / "zoo-model")
    make.monai_folder(tmp_path / "models" / "monai-model")
    names = [bundle.name for bundle in list_models()]
    assert {"zoo-model", "monai-model", "tumour-demo"} <= set(names)
    assert load_model("zoo-model").origin


def test_a_card_without_a_licence_says_so(tmp_path: Path) -> None:
    folder = make.zoo_folder(tmp_path / "zoo")
    (folder / "README.md").write_text("# nothing\n")
    assert load_model(folder).licence == UNSTATED
