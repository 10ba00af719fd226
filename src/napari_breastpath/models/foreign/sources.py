"""What can be installed from elsewhere, and where its files are.

The WSInfer zoo is a registry (JSON) of repositories on a hub; TIAToolbox publishes its weights in
one repository there. The hub's API names the commit behind a revision and the SHA-256 of large
files (huggingface.co/docs/hub/api).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.download import Wanted, download
from napari_breastpath.models.foreign import tiatoolbox
from napari_breastpath.models.foreign.describing import read_object
from napari_breastpath.models.foreign.wsinfer import CONFIG, PROGRAM

HUB = "https://huggingface.co"
REGISTRY = "datasets/kaczmarj/wsinfer-model-zoo-json/resolve/main/wsinfer-zoo-registry.json"
WSINFER, TIATOOLBOX = "WSInfer zoo", "TIAToolbox"
CARD = "README.md"
SMALL_BYTES = 4 << 20
NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,99}")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
REVISION = re.compile(r"[A-Za-z0-9][\w.\-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where models are fetched: the hub, and the zoo's registry on it or elsewhere."""

    hub: str = HUB
    registry: str = f"{HUB}/{REGISTRY}"

    @classmethod
    def chosen(cls, hub: str | None = None) -> Hosts:
        """Return the hosts to use: a hub given, else BREASTPATH_HUB; BREASTPATH_ZOO_REGISTRY."""
        base = (hub or os.environ.get("BREASTPATH_HUB") or HUB).rstrip("/")
        return cls(base, os.environ.get("BREASTPATH_ZOO_REGISTRY") or f"{base}/{REGISTRY}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be installed.

    Attributes
    ----------
    name, description : str
    source : str
        `WSINFER` or `TIATOOLBOX`.
    repository, revision : str
        On the hub.
    weights : str
        The file to run, there.
    """

    name: str
    description: str
    source: str
    repository: str
    revision: str
    weights: str

    @property
    def files(self) -> tuple[str, ...]:
        """Files that are needed; the card comes too where there is one."""
        return (self.weights,) if self.source == TIATOOLBOX else (CONFIG, self.weights)


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at a commit: the SHA-256 of its large files, by name; empty for small ones."""

    commit: str
    hashes: Mapping[str, str]


def published_offers() -> tuple[Offer, ...]:
    """Return what TIAToolbox publishes; known without asking."""
    return tuple(
        Offer(
            name,
            tiatoolbox.describe(name),
            TIATOOLBOX,
            tiatoolbox.REPOSITORY,
            "main",
            f"{name}.pth",
        )
        for name in tiatoolbox.published_names()
    )


def zoo_offers(hosts: Hosts) -> tuple[Offer, ...]:
    """Return what the WSInfer zoo's registry names now.

    Raises
    ------
    ModelError
        It cannot be had, or is malformed.
    """
    models = _fetched(hosts.registry).get("models")
    if not isinstance(models, dict):
        raise ModelError(hosts.registry, "is no registry of models", "check the address")
    return tuple(_zoo_offer(hosts, name, value) for name, value in models.items())


def _zoo_offer(hosts: Hosts, name: str, value: Any) -> Offer:
    try:
        description, repository = str(value["description"]), value["hf_repo_id"]
        revision = value["hf_revision"]
        good = NAME.fullmatch(name) and REPOSITORY.fullmatch(repository)
        if good and REVISION.fullmatch(revision):
            return Offer(name, description, WSINFER, repository, revision, PROGRAM)
    except (KeyError, TypeError):
        pass
    raise ModelError(hosts.registry, f"its entry {name!r} is malformed", "ask its makers")


def find_offer(name: str, hosts: Hosts) -> Offer:
    """Return the offer of a name; the zoo is asked only where TIAToolbox has none.

    Raises
    ------
    ModelError
        Nobody offers it, or the registry cannot be had.
    """
    for offers in (published_offers, lambda: zoo_offers(hosts)):
        for offer in offers():
            if offer.name == name:
                return offer
    advice = "`breastpath models list --available` names those there are"
    raise ModelError(name, "nobody offers a model of this name", advice)


def list_files(offer: Offer, hosts: Hosts) -> Listing:
    """Return the commit behind an offer's revision, and its files with their hashes.

    Raises
    ------
    ModelError
        The hub cannot be asked, or answers something else.
    """
    url = f"{hosts.hub}/api/models/{offer.repository}/revision/{offer.revision}?blobs=true"
    values = _fetched(url)
    try:
        commit, siblings = values["sha"], values["siblings"]
        hashes = {str(s["rfilename"]): (s.get("lfs") or {}).get("sha256", "") for s in siblings}
        good = COMMIT.fullmatch(commit) and all(SHA256.fullmatch(h) for h in hashes.values() if h)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(url, "does not list the files of a repository", "try later") from error
    if not good:
        raise ModelError(url, "names no commit, or a malformed SHA-256", "try later")
    return Listing(commit, hashes)


def file_url(offer: Offer, hosts: Hosts, revision: str, file: str) -> str:
    """Return the address of a file of an offer."""
    return f"{hosts.hub}/{offer.repository}/resolve/{revision}/{file}"


def _fetched(url: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = download(Wanted(url, Path(folder) / "answer.json", max_bytes=SMALL_BYTES))
        try:
            return read_object(path)
        except ModelError as error:
            raise ModelError(url, error.cause, "check the address") from error
