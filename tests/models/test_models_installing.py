"""Installing from a catalog, from files fetched by hand, from folders and zips."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

import foreign_models as make
from hosts import Host, serving
from napari_breastpath.cli import main
from napari_breastpath.core.errors import BreastPathError, ModelError, UsageError
from napari_breastpath.models import ModelBundle, is_trusted, list_models, load_model, verify_model
from napari_breastpath.models.download import Unreachable
from napari_breastpath.models.foreign.networks import published_network
from napari_breastpath.models.foreign.sources import REGISTRY, Hosts, zoo_offers
from napari_breastpath.models.foreign.tiatoolbox import REPOSITORY
from napari_breastpath.models.installing import install_fetched, install_local, install_offer

NAME, ZOO_REPOSITORY = "breast-toy", "somebody/breast-toy"
PCAM = "mobilenet_v3_small-pcam"


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A state dict as TIAToolbox publishes them, with random numbers."""
    path = tmp_path_factory.mktemp("weights") / f"{PCAM}.pth"
    torch.save(published_network("cnn", {"backbone": "mobilenet_v3_small"}, 2).state_dict(), path)
    return path.read_bytes()


@pytest.fixture
def host(weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A hub with the zoo's registry, a model of it and one of TIAToolbox."""
    folder = make.zoo_folder(tmp_path / "made")
    with serving() as host:
        monkeypatch.setenv("BREASTPATH_HUB", host.url)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        host.put_repository(ZOO_REPOSITORY, files)
        card = b"---\nlicense: cc-by-nc-sa-4.0\n---\n"
        host.put_repository(REPOSITORY, {f"{PCAM}.pth": weights, "README.md": card})
        entry = {"description": "a toy", "hf_repo_id": ZOO_REPOSITORY, "hf_revision": "main"}
        host.files[f"/{REGISTRY}"] = json.dumps({"models": {NAME: entry}}).encode()
        yield host


def one_line(error: BreastPathError, *parts: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert all(part in text for part in parts), text


def test_a_model_of_the_zoo(host: Host, models: Path) -> None:
    seen = []
    bundle = install_offer(NAME, progress=seen.append)
    assert (bundle.folder, bundle.name) == (models / NAME, NAME)
    assert bundle.licence == "cc-by-nc-4.0"
    assert f"{host.url}/{ZOO_REPOSITORY}/resolve/" in bundle.origin
    assert not is_trusted(bundle)
    assert {step.stage for step in seen} == {"download"}
    assert load_model(NAME).sha256 == bundle.sha256
    assert sorted(p.name for p in models.iterdir()) == [NAME]
    with pytest.raises(UsageError, match="installed already"):
        install_offer(NAME)


def test_weights_of_tiatoolbox_need_no_trust(host: Host, models: Path) -> None:
    bundle = install_offer(PCAM)
    assert is_trusted(bundle)
    assert REPOSITORY in bundle.origin
    assert "parameters fit tiatoolbox cnn" in verify_model(PCAM)
    assert "not run by us" in bundle.intended_use
    assert bundle.licence == "cc-by-nc-sa-4.0"


def test_a_changed_program_of_an_installed_model_is_refused(host: Host, models: Path) -> None:
    bundle = install_offer(NAME)
    make.scripted(bundle.weights, make.Pixels(), 64)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(NAME)


def test_an_install_that_broke_off_is_gone_on_with(host: Host, models: Path) -> None:
    weights = next(p for p in host.files if p.endswith(".pth"))
    host.manner[weights] = "cut"
    with pytest.raises(ModelError, match="broke off"):
        install_offer(PCAM)
    assert PCAM not in [bundle.name for bundle in list_models()]
    host.manner.clear()
    install_offer(PCAM)
    assert any(path == weights and part for path, part in host.asked)


def test_other_weights_than_published_are_not_installed(host: Host, models: Path) -> None:
    weights = next(p for p in host.files if p.endswith("torchscript_model.pt"))
    host.files[weights] = host.files[weights][:-1] + b"x"
    with pytest.raises(ModelError, match="not the published"):
        install_offer(NAME)
    assert not (models / NAME).exists()


def test_tensors_that_do_not_fit_are_not_installed(
    host: Host, models: Path, tmp_path: Path
) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / "odd.pth")
    host.put_repository(REPOSITORY, {f"{PCAM}.pth": (tmp_path / "odd.pth").read_bytes()})
    with pytest.raises(ModelError, match="do not fit"):
        install_offer(PCAM)
    assert list(models.iterdir()) == []


@pytest.mark.parametrize(
    ("registry", "told"),
    [
        (b"[]", "JSON object"),
        (b"{", "not JSON"),
        (b"{}", "no registry"),
        (b'{"models": {"x": {}}}', "'x' is malformed"),
        (b'{"models": {"../x": {"description": "", "hf_repo_id": "a/b", "hf_revision": "c"}}}',
         "'../x' is malformed"),
        (b'{"models": {"x": {"description": "", "hf_repo_id": "../b", "hf_revision": "c"}}}',
         "'x' is malformed"),
        (b'{"models": {"x": {"description": "", "hf_repo_id": "a/b", "hf_revision": "../c"}}}',
         "'x' is malformed"),
        (b" " * (5 << 20), "larger than"),
    ],
)  # fmt: skip
def test_a_malformed_registry_is_one_line(host: Host, registry: bytes, told: str) -> None:
    host.files[f"/{REGISTRY}"] = registry
    with pytest.raises(ModelError) as caught:
        zoo_offers(Hosts.chosen())
    one_line(caught.value, host.url, told)


@pytest.mark.parametrize("listing", [b"{}", b'{"sha": "main", "siblings": []}', b'{"sha": 1}'])
def test_a_malformed_listing_is_one_line(host: Host, listing: bytes) -> None:
    host.files[f"/api/models/{ZOO_REPOSITORY}/revision/main"] = listing
    with pytest.raises(ModelError) as caught:
        install_offer(NAME)
    one_line(caught.value, host.url)


def test_weights_without_a_published_hash_are_not_fetched(host: Host) -> None:
    path = f"/api/models/{ZOO_REPOSITORY}/revision/main"
    listing: dict[str, Any] = json.loads(host.files[path])
    for sibling in listing["siblings"]:
        sibling.pop("lfs", None)
    host.files[path] = json.dumps(listing).encode()
    with pytest.raises(ModelError, match="no SHA-256"):
        install_offer(NAME)


def test_an_unknown_name_is_told(host: Host) -> None:
    with pytest.raises(ModelError, match="nobody offers"):
        install_offer("no-such-model")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("BREASTPATH_HUB", url)
    return url


def test_offline_it_says_what_to_fetch_and_how_to_install_it(
    offline: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unreachable) as caught:
        install_offer(PCAM)
    url = f"{offline}/{REPOSITORY}/resolve/main/{PCAM}.pth"
    one_line(caught.value, url, f"models install {PCAM} --from", str(models))
    with pytest.raises(Unreachable) as caught:
        install_offer(NAME)
    one_line(caught.value, "config.json", "torchscript_model.pt")
    fetched = make.zoo_folder(tmp_path / "fetched")
    assert install_fetched(NAME, fetched).name == NAME
    assert not is_trusted(load_model(NAME))
    assert main(["models", "install", PCAM, "--from", str(fetched)]) == 1
    assert f"lacks {PCAM}.pth" in capsys.readouterr().err


def test_offline_other_weights_are_installed_as_it_says(
    offline: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["models", "install", NAME, "--weights", "model.safetensors"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "model.safetensors elsewhere" in told
    assert f"models install {NAME} --from FOLDER --weights model.safetensors" in told
    make.write_json(tmp_path / "fetched" / "config.json", make.zoo_config())
    save_file(
        timm.create_model("resnet18", num_classes=2).state_dict(),
        tmp_path / "fetched" / "model.safetensors",
    )
    assert main([*words, "--from", str(tmp_path / "fetched")]) == 0
    assert load_model(NAME).format == "safetensors"


def test_folders_and_zips_are_installed(tmp_path: Path, models: Path) -> None:
    folder = make.monai_folder(tmp_path / "given" / "monai-toy")
    assert install_local(folder).name == "monai-toy"
    shutil.make_archive(str(tmp_path / "zipped"), "zip", folder.parent)
    assert install_local(tmp_path / "zipped.zip").folder == models / "zipped"
    assert sorted(p.name for p in models.iterdir()) == ["monai-toy", "zipped"]
    (folder / "link").symlink_to("/etc/passwd")
    (folder.parent / "other").mkdir()
    shutil.move(str(folder), folder.parent / "linked")
    with pytest.raises(ModelError, match="holds links"):
        install_local(folder.parent / "linked")
    with pytest.raises(ModelError, match="lacks"):
        install_local(folder.parent / "other")


def test_a_bundle_is_installed_under_its_own_name(
    own_bundle: ModelBundle, models: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "run" / "bundle"
    shutil.copytree(own_bundle.folder, trained)
    assert install_local(trained).folder == models / own_bundle.name
    values = json.loads((trained / "model.json").read_text()) | {"name": "no folder's name"}
    make.write_json(trained / "model.json", values)
    assert install_local(trained).folder == models / "bundle"


def test_an_install_that_fails_leaves_nothing(
    own_bundle: ModelBundle, host: Host, tmp_path: Path, models: Path
) -> None:
    (own_bundle.folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        install_local(own_bundle.folder)
    with pytest.raises(ModelError, match=f"lacks {PCAM}.pth"):
        install_fetched(PCAM, tmp_path)
    with pytest.raises(UsageError, match="has no weights"):
        install_offer(NAME, weights="../evil.pt")
    assert list(models.glob("*")) == []


def test_what_an_earlier_attempt_left_is_not_installed(host: Host, models: Path) -> None:
    left = models / f".{NAME}.installing" / "model.pt"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of something else")
    install_offer(NAME)
    assert not (models / NAME / "model.pt").exists()


def test_the_command_line_installs_shows_and_trusts(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["models", "list", "--available"]) == 0
    told = capsys.readouterr().out
    assert f"{NAME}  WSInfer zoo" in told
    assert PCAM in told
    assert main(["models", "install", NAME]) == 0
    told = capsys.readouterr().out
    assert "models trust breast-toy" in told
    assert main(["models", "show", NAME]) == 0
    told = capsys.readouterr().out
    for part in ("not run by us", "cc-by-nc-4.0", "not trusted", host.url):
        assert part in told
    monkeypatch.setattr("sys.stdin", None)
    assert main(["models", "trust", NAME]) == 2
    told = capsys.readouterr()
    assert load_model(NAME).sha256 in told.out
    assert "--yes" in told.err
    assert main(["models", "trust", NAME, "--yes"]) == 0
    assert is_trusted(load_model(NAME))
    assert main(["models", "install"]) == 2


def test_the_list_of_what_is_available_survives_a_lost_network(
    offline: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list", "--available"]) == 1
    told = capsys.readouterr()
    assert PCAM in told.out
    assert "cannot be reached" in told.err
