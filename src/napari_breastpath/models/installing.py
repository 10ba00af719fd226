"""Put other people's models into the models folder: fetched, hashed, read once, then named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.core.progress import ProgressCallback, ignore_progress
from napari_breastpath.models.archives import MAX_BYTES, unpack
from napari_breastpath.models.bundle import MANIFEST, ModelBundle
from napari_breastpath.models.catalog import checked_bundle
from napari_breastpath.models.download import Unreachable, Wanted, download
from napari_breastpath.models.foreign import tiatoolbox
from napari_breastpath.models.foreign.describing import (
    SOURCE,
    UNSTATED,
    read_object,
    stated_licence,
)
from napari_breastpath.models.foreign.offline import by_hand, offer_offline, urls, with_weights
from napari_breastpath.models.foreign.sources import (
    CARD,
    NAME,
    SMALL_BYTES,
    TIATOOLBOX,
    Hosts,
    Listing,
    Offer,
    file_url,
    find_offer,
    list_files,
)
from napari_breastpath.models.hashing import file_sha256
from napari_breastpath.models.networks import build_network
from napari_breastpath.models.places import EMBEDDED, models_folder
from napari_breastpath.models.reading import is_model, read_bundle


def install_offer(
    name: str,
    hosts: Hosts | None = None,
    progress: ProgressCallback = ignore_progress,
    weights: str | None = None,
) -> ModelBundle:
    """Fetch a model of the WSInfer zoo or of TIAToolbox and install it under its name.

    Parameters
    ----------
    name : str
        As `breastpath models list --available` names it.
    hosts : Hosts, optional
    progress : callable
        Called in this thread with the bytes of each file.
    weights : str, optional
        Another of the repository's weight files, for example `model.safetensors`.

    Returns
    -------
    ModelBundle
        A program among them is not trusted by being installed.

    Raises
    ------
    UsageError
        It is installed already.
    ModelError
        Not to be had (with what to fetch by hand), no SHA-256 published, or refused.
    """
    hosts = hosts or Hosts.chosen()
    check_free(name)
    work = models_folder() / f".{name}.installing"
    try:
        offer = with_weights(find_offer(name, hosts), weights)
        listing = list_files(offer, hosts)
        wanted = [
            _wanted(offer, hosts, listing, file, work) for file in _wanted_files(offer, listing)
        ]
        _clear(work, wanted)
        for file in wanted:
            download(file, progress)
    except Unreachable as error:
        raise by_hand(name, hosts, weights, error) from error
    origin = f"{offer.source}, {file_url(offer, hosts, listing.commit, offer.weights)}"
    _describe(offer, work, origin, listing.commit, {offer.weights: listing.hashes[offer.weights]})
    return _installed(work, name)


def install_fetched(
    name: str, folder: Path, hosts: Hosts | None = None, weights: str | None = None
) -> ModelBundle:
    """Install a model of a catalog from files that somebody fetched by hand into a folder.

    Parameters
    ----------
    name : str
    folder : Path
    hosts : Hosts, optional
    weights : str, optional
        As of `install_offer`.

    Raises
    ------
    UsageError, ModelError
        As `install_offer`; a file is missing.
    """
    hosts = hosts or Hosts.chosen()
    check_free(name)
    offer = with_weights(offer_offline(name, hosts), weights)
    if missing := [file for file in offer.files if not (folder / file).is_file()]:
        raise ModelError(folder, f"lacks {missing[0]}", urls(offer, hosts))
    work = _new_work(name)
    for file in (*offer.files, CARD):
        if (folder / file).is_file():
            shutil.copyfile(folder / file, work / file)
    origin = f"{offer.source}, fetched by hand into {folder.absolute()}"
    _describe(offer, work, origin, "", {offer.weights: file_sha256(work / offer.weights)})
    return _installed(work, name)


def install_local(path: Path, name: str = "") -> ModelBundle:
    """Copy a model's folder, or unpack its zip, into the models folder.

    Parameters
    ----------
    path : Path
    name : str, optional
        To install it under, by default that of its `model.json`, else of the folder or zip.

    Raises
    ------
    UsageError
        A model of this name is installed already.
    ModelError
        No model, or an archive or folder that is refused.
    """
    name = name or _own_name(path) or path.resolve().name.removesuffix(".zip")
    check_free(name)
    work = _new_work(name)
    work.rmdir()
    try:
        (_copy if path.is_dir() else unpack)(path, work)
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise ModelError(path, f"cannot be copied ({error})", "give a folder of files") from error
    folder = work if is_model(work) else _only_folder(work)
    try:
        _record_copy(path, folder, name)
        return _installed(folder, name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _own_name(path: Path) -> str:
    """Return the name in a folder's `model.json`; training calls every folder `bundle`."""
    if not (path / MANIFEST).is_file():
        return ""
    name = str(read_object(path / MANIFEST).get("name", ""))
    return name if NAME.fullmatch(name) else ""


def check_free(name: str) -> None:
    """Raise `UsageError` for a name that no new model can have."""
    if not NAME.fullmatch(name):
        raise UsageError(f"name {name!r}", "cannot be a model's", "use letters, digits, . _ and -")
    for root, advice in (
        (models_folder(), f"remove {models_folder() / name} to install it anew"),
        (EMBEDDED, "it comes with the program; give yours another `name` in its model.json"),
    ):
        if (root / name).exists():
            raise UsageError(name, "a model of this name is installed already", advice)


def _new_work(name: str) -> Path:
    """Return an empty folder to prepare a model in; dots keep it from being listed."""
    work = models_folder() / f".{name}.installing"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work


def _wanted_files(offer: Offer, listing: Listing) -> tuple[str, ...]:
    missing = [file for file in offer.files if file not in listing.hashes]
    if missing:
        cause = f"its repository {offer.repository} lacks {missing[0]}"
        raise ModelError(offer.name, cause, "ask its makers")
    if not listing.hashes[offer.weights]:
        cause = f"no SHA-256 of {offer.weights} is published"
        raise ModelError(offer.name, cause, "fetch it by hand if you trust it: docs/models.md")
    cards = (CARD,) if CARD in listing.hashes else ()
    return (*offer.files, *cards)


def _wanted(offer: Offer, hosts: Hosts, listing: Listing, file: str, work: Path) -> Wanted:
    url = file_url(offer, hosts, listing.commit, file)
    limit = MAX_BYTES if file == offer.weights else SMALL_BYTES
    return Wanted(url, work / file, listing.hashes[file], limit)


def _clear(work: Path, wanted: Sequence[Wanted]) -> None:
    """Remove what an earlier attempt left, but for the begun parts of what is wanted now."""
    kept = {path for file in wanted for path in (file.part, file.mark)}
    for path in work.iterdir() if work.is_dir() else ():
        if path not in kept:
            path.unlink()


def _describe(
    offer: Offer, work: Path, origin: str, commit: str, hashes: Mapping[str, str]
) -> None:
    """Write where a model came from, and TIAToolbox's description, which lies in no file there."""
    _record(work, offer.name, origin, hashes, repository=offer.repository, revision=commit)
    if offer.source == TIATOOLBOX:
        stated = stated_licence(work / CARD)
        licence = tiatoolbox.UNKNOWN_LICENCE if stated == UNSTATED else stated
        manifest = tiatoolbox.manifest_of(offer.name, hashes[offer.weights], origin, licence)
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (work / MANIFEST).write_text(text, encoding="utf-8")


def _record(work: Path, name: str, origin: str, hashes: Mapping[str, str], **more: str) -> None:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"name": name, "origin": origin, "sha256": dict(hashes), "when": when, **more}
    (work / SOURCE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _record_copy(path: Path, work: Path, name: str) -> None:
    """Write where a foreign model was copied from; what it says of itself is no proof."""
    (work / SOURCE).unlink(missing_ok=True)
    bundle = read_bundle(work)
    if bundle.origin:
        claim = "" if str(work) in bundle.origin else f"; it says of itself: {bundle.origin}"
        weights = {bundle.weights_name: file_sha256(bundle.weights)}
        _record(work, name, f"{path.absolute()}{claim}", weights)


def _installed(work: Path, name: str) -> ModelBundle:
    """Read a prepared model, tensors too unless it is a program, and give it its name.

    Raises
    ------
    ModelError
        What is wrong with it; it is not kept then.
    """
    target = models_folder() / name
    try:
        bundle = checked_bundle(work)
        if not bundle.runs_code:
            build_network(bundle)
    except ModelError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    os.replace(work, target)
    return read_bundle(target)


def _copy(folder: Path, work: Path) -> None:
    """Copy a folder of plain files; links and what is too large are refused."""
    paths = list(folder.rglob("*"))
    if any(path.is_symlink() for path in paths):
        raise ModelError(folder, "holds links", "give a folder of plain files")
    if sum(path.stat().st_size for path in paths if path.is_file()) > MAX_BYTES:
        raise ModelError(folder, f"is larger than {MAX_BYTES >> 30} GiB", "give a model's folder")
    if not is_model(folder):
        read_bundle(folder)
    shutil.copytree(folder, work)


def _only_folder(work: Path) -> Path:
    """Return the one folder that an archive holds, as many archives of a folder do."""
    inside = list(work.iterdir())
    if len(inside) == 1 and inside[0].is_dir() and is_model(inside[0]):
        return inside[0]
    shutil.rmtree(work, ignore_errors=True)
    raise ModelError(work.name, "the archive holds no model", "give the zip of a model's folder")
