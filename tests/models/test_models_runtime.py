"""Running a network: the same numbers on every engine, whatever lies beside a tile."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch

from napari_breastpath.core.errors import InferenceError
from napari_breastpath.models import (
    Device,
    ModelBundle,
    OutOfMemory,
    build_network,
    choose_device,
    choose_engine,
    make_predictor,
    runtime,
)
from napari_breastpath.models.graph import cache_folder, with_plain_sums

INSTALLED = [engine for engine in runtime.ENGINES if runtime.is_installed(engine)]
CPU = Device("cpu", "for the test")


def tiles(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 64, 64, 3), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("engine", INSTALLED)
def test_a_tile_knows_nothing_of_its_batch(small_bundle: ModelBundle, engine: str) -> None:
    predictor = make_predictor(small_bundle, CPU, engine, batch_size=4, threads=2)
    batch, others = tiles(4), tiles(4, seed=1)
    expected = predictor.predict(batch)
    np.testing.assert_array_equal(predictor.predict(batch.flip(0))[::-1], expected)
    for place in range(4):
        mixed = others.clone()
        mixed[place] = batch[0]
        np.testing.assert_array_equal(predictor.predict(mixed)[place], expected[0])


@pytest.mark.parametrize("engine", INSTALLED)
def test_streams_side_by_side_answer_as_one_alone(small_bundle: ModelBundle, engine: str) -> None:
    predictor = make_predictor(small_bundle, CPU, engine, batch_size=2, threads=2)
    assert predictor.streams == (2 if engine in ("ncnn", "onnxruntime") else 1)
    batches = [tiles(2, seed) for seed in range(12)]
    with ThreadPoolExecutor(predictor.streams) as pool:
        found = list(pool.map(predictor.predict, batches))
    np.testing.assert_array_equal(found, [predictor.predict(batch) for batch in batches])


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("classes", [1, 3])
def test_engines_compute_the_block_mean_of_the_probabilities(
    tmp_path: Path, engine: str, classes: int, bundle_of: Callable[..., ModelBundle]
) -> None:
    bundle = bundle_of(tmp_path / "bundle", classes)
    batch = tiles(2)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.5,) * 3, (0.5, 0.4, 0.3)))
    with torch.inference_mode():
        logits = build_network(bundle)((batch.permute(0, 3, 1, 2) / 255 - mean) / std)
    values = logits.sigmoid() if classes == 1 else logits.softmax(1)
    expected = values.reshape(2, classes, 32, 2, 32, 2).mean(dim=(3, 5)).numpy()
    predictor = make_predictor(bundle, CPU, engine, batch_size=2, threads=1)
    found = predictor.predict(batch)
    assert (found.dtype, predictor.classes, predictor.engine) == (np.float32, classes, engine)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("engine", INSTALLED)
def test_the_batch_may_shrink(small_bundle: ModelBundle, engine: str) -> None:
    predictor = make_predictor(small_bundle, CPU, engine, batch_size=4, threads=1)
    np.testing.assert_allclose(
        predictor.predict(tiles(4))[:2], predictor.predict(tiles(4)[:2]), atol=1e-6
    )


@pytest.mark.parametrize("policy", ["add", "cat"])
def test_plain_sums_change_no_bit(policy: str) -> None:
    torch.manual_seed(0)
    network = smp.FPN("mobilenet_v2", encoder_weights=None, decoder_merge_policy=policy).eval()
    pixels = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = network(pixels)
        assert torch.equal(with_plain_sums(network)(pixels), expected)


def test_not_a_number_is_passed_on(own_bundle: ModelBundle) -> None:
    from napari_breastpath.models import load_model, save_model

    network = build_network(own_bundle)
    with torch.no_grad():
        network.segmentation_head[0].bias.fill_(float("nan"))
    spoiled = load_model(save_model(own_bundle, network).folder)
    predictor = make_predictor(spoiled, CPU, "torch", 1, threads=1)
    assert np.isnan(predictor.predict(tiles(1))).all()


def test_the_exported_graph_is_kept_and_reused(
    small_bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("BREASTPATH_CACHE", str(tmp_path / "cache"))
    make_predictor(small_bundle, CPU, "onnxruntime", threads=1)
    (kept,) = cache_folder().iterdir()
    assert small_bundle.sha256 in kept.name
    before = kept.stat().st_mtime_ns
    make_predictor(small_bundle, CPU, "onnxruntime", threads=1)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("change", [{"outputs": "probabilities"}, {"temperature": 3.0}])
def test_a_graph_is_not_reused_once_its_manifest_has_changed(
    small_bundle: ModelBundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("BREASTPATH_CACHE", str(tmp_path / "cache"))
    make_predictor(small_bundle, CPU, "onnxruntime", 2, threads=1)
    found, expected = (
        make_predictor(replace(small_bundle, **change), CPU, engine, 2, threads=1)
        for engine in ("onnxruntime", "torch")
    )
    np.testing.assert_allclose(found.predict(tiles(2)), expected.predict(tiles(2)), atol=1e-4)


def test_a_graph_cache_that_cannot_be_written_is_no_hindrance(
    small_bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BREASTPATH_CACHE", str(tmp_path / "file"))
    assert make_predictor(small_bundle, CPU, "onnxruntime", threads=1).predict(tiles(1)).size


def test_without_fast_engines_torch_runs_and_says_why(
    small_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "is_installed", lambda engine: engine == "torch")
    predictor = make_predictor(small_bundle, CPU, "auto", threads=1)
    assert predictor.engine == "torch"
    assert "onnxruntime and openvino not installed" in predictor.engine_reason
    with pytest.raises(InferenceError, match="not installed; pip install"):
        choose_engine("openvino", CPU)


def test_an_engine_that_cannot_start_gives_way_to_torch(
    small_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = builtins.__import__

    def broken(name: str, *args: object, **kwargs: object) -> object:
        if name in ("ncnn", "openvino", "onnxruntime"):
            raise ImportError(f"{name} is built for another machine")
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    predictor = make_predictor(small_bundle, CPU, "auto", threads=1)
    assert predictor.engine == "torch"
    if len(INSTALLED) > 1:
        assert "refuses" in predictor.engine_reason
        with pytest.raises(InferenceError, match="refuses"):
            make_predictor(small_bundle, CPU, INSTALLED[0], threads=1)


@pytest.mark.parametrize(
    ("engine", "device", "found"),
    [
        ("auto", Device("cuda", ""), "torch"),
        ("auto", Device("mps", ""), "torch"),
        ("torch", CPU, "torch"),
        ("auto", CPU, INSTALLED[0]),
    ],
)
def test_engine_of_a_device(engine: str, device: Device, found: str) -> None:
    name, reason = choose_engine(engine, device)
    assert name == found
    assert reason


@pytest.mark.parametrize(
    ("engine", "device"), [("tensorrt", CPU), ("openvino", Device("cuda:0", ""))]
)
def test_an_engine_that_makes_no_sense_is_refused(engine: str, device: Device) -> None:
    with pytest.raises(InferenceError, match="choose"):
        choose_engine(engine, device)


def test_the_device_is_chosen_with_a_reason() -> None:
    device = choose_device()
    assert device.reason
    assert choose_device(device.name).name == device.name
    with pytest.raises(InferenceError, match=r"no such device\); choose auto or"):
        choose_device("abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
def test_a_missing_gpu_is_one_line() -> None:
    with pytest.raises(InferenceError, match=r"device cuda:1: is not available"):
        choose_device("cuda:1")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_running_out_of_memory_is_told_apart(
    small_bundle: ModelBundle, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = make_predictor(small_bundle, CPU, "torch", 2, threads=1)

    def no_room(*args: object) -> None:
        raise error

    monkeypatch.setattr(torch.nn.functional, "avg_pool2d", no_room)
    with pytest.raises(OutOfMemory, match="no memory for 2 tiles"):
        predictor.predict(tiles(2))


@pytest.mark.parametrize("engine", INSTALLED)
def test_other_failures_are_not_taken_for_memory(small_bundle: ModelBundle, engine: str) -> None:
    predictor = make_predictor(small_bundle, CPU, engine, 2, threads=1)
    with pytest.raises(InferenceError, match="the network failed") as caught:
        predictor.predict(torch.zeros((1, 50, 50, 3), dtype=torch.uint8))
    assert not isinstance(caught.value, OutOfMemory)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="uint8"):
        predictor.predict(torch.zeros((1, 64, 64, 3)))


@pytest.mark.parametrize("engine", [e for e in INSTALLED if e in ("onnxruntime", "openvino")])
def test_a_damaged_graph_is_one_line_and_made_anew(
    small_bundle: ModelBundle, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREASTPATH_CACHE", str(tmp_path))
    make_predictor(small_bundle, CPU, engine, threads=1)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"damaged")
    with pytest.raises(InferenceError, match="refuses small") as caught:
        make_predictor(small_bundle, CPU, engine, threads=1)
    assert "\n" not in str(caught.value)
    assert make_predictor(small_bundle, CPU, engine, threads=1).predict(tiles(1)).size


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_half_precision_on_a_gpu_stays_within_one_grey_level(small_bundle: ModelBundle) -> None:
    batch = tiles(4)
    on_cpu = make_predictor(small_bundle, CPU, "torch", 4).predict(batch)
    on_gpu = make_predictor(small_bundle, "cuda", "torch", 4).predict(batch)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1 / 255)
