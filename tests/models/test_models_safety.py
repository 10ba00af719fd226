"""Files that mean harm: none of them runs, each is refused in one line that says why."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import foreign_models as make
from napari_breastpath.cli import main
from napari_breastpath.core.errors import ModelError
from napari_breastpath.models import (
    Architecture,
    ModelBundle,
    build_network,
    is_trusted,
    load_model,
    trust_model,
)
from napari_breastpath.models.archives import unpack
from napari_breastpath.models.hashing import file_sha256
from napari_breastpath.models.installing import install_local
from napari_breastpath.models.networks import empty_network
from napari_breastpath.models.trust import TRUSTED, trusted_models
from napari_breastpath.models.unpickling import kind_of_file, read_state_dict


@pytest.fixture(autouse=True)
def _own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.trace),)


def plain_pickle(path: Path, evil: Evil) -> None:
    path.write_bytes(pickle.dumps({"weight": evil}))


def torch_archive(path: Path, evil: Evil) -> None:
    torch.save({"weight": torch.zeros(2), "extra": evil}, path)


def legacy_archive(path: Path, evil: Evil) -> None:
    torch.save({"weight": evil}, path, _use_new_zipfile_serialization=False)


def state_dict_with_a_class(path: Path, evil: Evil) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "hyper_parameters": evil}, path)


@pytest.mark.parametrize(
    "write", [plain_pickle, torch_archive, legacy_archive, state_dict_with_a_class]
)
def test_a_pickle_runs_nothing(tmp_path: Path, write: Callable[[Path, Evil], None]) -> None:
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    write(path, Evil(trace))
    with pytest.raises(ModelError) as caught:
        read_state_dict(path)
    assert not trace.exists()
    assert "\n" not in str(caught.value)
    assert "model.safetensors" in str(caught.value) or "get the file again" in str(caught.value)
    with contextlib.suppress(RuntimeError):
        torch.load(path, weights_only=False)
    assert trace.exists(), "the file would not have done harm anywhere"


@pytest.mark.parametrize("content", [[1, 2], {"a": 3}, {}, {"state_dict": {"a": "b"}}, 5])
def test_what_is_not_tensors_by_name_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="tensors by name"):
        read_state_dict(tmp_path / "weights.pt")


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t, "epoch": 3}])
def test_tensors_are_read_with_their_usual_wrapping(tmp_path: Path, wrap: Any) -> None:
    tensors = {"module.a": torch.ones(2), "module.b": torch.zeros(1)}
    torch.save(wrap(tensors), tmp_path / "weights.pth")
    assert read_state_dict(tmp_path / "weights.pth").keys() == {"a", "b"}


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt2", "model.pkl"])
def test_suffixes_that_hold_objects_are_refused_unopened(tmp_path: Path, name: str) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / name)
    with pytest.raises(ModelError, match="run any program"):
        load_model(tmp_path / name)
    with pytest.raises(ModelError, match="run any program"):
        read_state_dict(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
def test_torch_export_archives_are_refused_whatever_their_name(tmp_path: Path) -> None:
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),))
    path = tmp_path / "model.pt"
    torch.export.save(program, path)
    assert kind_of_file(path) == "pt2"
    with pytest.raises(ModelError, match="run any program"):
        read_state_dict(path)


def test_torchscript_is_no_state_dict(tmp_path: Path) -> None:
    path = make.scripted(tmp_path / "model.pt", make.Pixels(), 16)
    with pytest.raises(ModelError, match="is TorchScript"):
        read_state_dict(path)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_damaged_state_dict_is_one_line(tmp_path: Path, cut: int) -> None:
    torch.save({"a": torch.ones(100)}, tmp_path / "weights.pt")
    content = (tmp_path / "weights.pt").read_bytes()
    (tmp_path / "weights.pt").write_bytes(content[:cut])
    with pytest.raises(ModelError) as caught:
        read_state_dict(tmp_path / "weights.pt")
    assert "\n" not in str(caught.value)


def test_a_state_dict_in_a_bundle_must_fit_its_architecture(small_bundle: ModelBundle) -> None:
    folder = small_bundle.folder.parent / "as-state-dict"
    folder.mkdir()
    tensors = build_network(small_bundle).state_dict()
    torch.save(tensors, folder / "model.pth")
    values = json.loads((small_bundle.folder / "model.json").read_text())
    values |= {"weights": "model.pth", "sha256": file_sha256(folder / "model.pth")}
    make.write_json(folder / "model.json", values)
    bundle = load_model(folder)
    assert bundle.format == "state_dict"
    build_network(bundle)
    odd = dict(tensors) | {next(iter(tensors)): torch.zeros(3)}
    torch.save(odd, folder / "model.pth")
    make.write_json(folder / "model.json", values | {"sha256": file_sha256(folder / "model.pth")})
    with pytest.raises(ModelError, match="1 tensors do not fit FPN"):
        build_network(load_model(folder))


@pytest.mark.parametrize(
    "architecture",
    [
        {"library": "timm", "name": "hf-hub:somebody/model"},
        {"library": "timm", "name": "resnet18", "arguments": {"checkpoint_path": "evil"}},
        {"library": "smp", "name": "FPN", "arguments": {"encoder_name": "tu-hf-hub:a/b"}},
        {"library": "timm", "name": "resnet18", "arguments": {"pretrained_cfg": {}}},
    ],
)
def test_an_architecture_fetches_and_reads_nothing(
    own_bundle: ModelBundle, architecture: Any
) -> None:
    path = own_bundle.folder / "model.json"
    make.write_json(path, json.loads(path.read_text()) | {"architecture": architecture})
    with pytest.raises(ModelError, match="not allowed"):
        build_network(load_model(own_bundle.folder))


@pytest.mark.parametrize("given", [{}, {"weights_backbone": "DEFAULT"}])
def test_a_network_of_torchvision_downloads_no_backbone(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("something is downloaded")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    name = "lraspp_mobilenet_v3_large"
    network = empty_network(Architecture("torchvision", name, given), 2, name)
    assert isinstance(network, torch.nn.Module)


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def zipped(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


BAD_ENTRIES: list[tuple[str | zipfile.ZipInfo, bytes, str]] = [
    ("../evil", b"x", "leads out"),
    ("a/../../evil", b"x", "leads out"),
    ("/evil", b"x", "leads out"),
    ("C:/evil", b"x", "leads out"),
    ("a\\..\\..\\evil", b"x", "leads out"),
    (link("link"), b"/etc/passwd", "is a link"),
    ("bomb", bytes(5 << 20), "far larger"),
]


@pytest.mark.parametrize(("name", "content", "told"), BAD_ENTRIES)
def test_bad_zips_leave_nothing(
    tmp_path: Path, name: str | zipfile.ZipInfo, content: bytes, told: str
) -> None:
    path = zipped(tmp_path / "model.zip", ("config.json", b"{}"), (name, content))
    with pytest.raises(ModelError, match=told):
        unpack(path, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.zip"]


def test_a_zip_may_not_be_too_large_or_lie_about_it(tmp_path: Path) -> None:
    path = zipped(tmp_path / "model.zip", *((f"{n}", os.urandom(1000)) for n in range(5)))
    with pytest.raises(ModelError, match="would take 5000 bytes"):
        unpack(path, tmp_path / "out", max_bytes=4999)
    content = bytearray(zipped(tmp_path / "lie.zip", ("a", bytes(60_000))).read_bytes())
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = content.rindex(signature) + offset
        content[at : at + 4] = struct.pack("<I", 10)
    (tmp_path / "lie.zip").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be unpacked"):
        unpack(tmp_path / "lie.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_good_zip_is_unpacked_whole(tmp_path: Path) -> None:
    path = zipped(tmp_path / "model.zip", ("model/config.json", b"{}"), ("model/w.bin", b"abc"))
    unpack(path, tmp_path / "out")
    assert (tmp_path / "out" / "model" / "w.bin").read_bytes() == b"abc"


def test_a_damaged_stream_in_a_zip_is_one_line(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bad.zip", ("model.json", b"abcdefgh" * 100))
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be unpacked"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "[]"])
def test_a_manifest_that_is_none_is_one_line(own_bundle: ModelBundle, content: str) -> None:
    (own_bundle.folder / "model.json").write_text(content)
    with pytest.raises(ModelError, match="JSON"):
        load_model(own_bundle.folder)


def test_a_claim_is_no_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make.zoo_folder(tmp_path / "given" / "claims")
    make.write_json(folder / "source.json", {"origin": "WSInfer zoo\nSHA-256   0\x1b[2J"})
    for given in (str(folder), install_local(folder).folder.name):
        assert main(["models", "trust", given, "--yes"]) == 0
        (told,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("source"))
        assert told.startswith(f"source    {folder}")
        assert told.isprintable()


def test_trust_is_of_a_file_not_of_a_name(tmp_path: Path) -> None:
    bundle = load_model(make.zoo_folder(tmp_path / "zoo"))
    assert not is_trusted(bundle)
    given = trust_model(bundle)
    assert (given.sha256, given.name) == (bundle.sha256, "zoo")
    assert trust_model(bundle).sha256 == bundle.sha256
    assert len(trusted_models()) == 1
    assert is_trusted(bundle)
    assert not is_trusted(dataclasses.replace(bundle, sha256="0" * 64))


@pytest.mark.parametrize("content", ["{", "[]", '{"models": [{"name": 3}]}', '{"models": 1}'])
def test_a_damaged_list_of_trust_trusts_nothing(tmp_path: Path, content: str) -> None:
    bundle = load_model(make.zoo_folder(tmp_path / "zoo"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / TRUSTED).write_text(content)
    with pytest.raises(ModelError, match=TRUSTED):
        is_trusted(bundle)
