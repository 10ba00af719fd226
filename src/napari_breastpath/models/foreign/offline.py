"""What to say and do where the network is away: which files to fetch elsewhere, and how."""

from __future__ import annotations

from dataclasses import replace

from napari_breastpath.core.errors import UsageError
from napari_breastpath.models.download import Unreachable
from napari_breastpath.models.foreign.sources import (
    TIATOOLBOX,
    WSINFER,
    Hosts,
    Offer,
    file_url,
    find_offer,
)
from napari_breastpath.models.foreign.wsinfer import PROGRAM, TENSORS
from napari_breastpath.models.places import models_folder


def with_weights(offer: Offer, weights: str | None) -> Offer:
    """Return an offer of another weight file; `UsageError` where the zoo has none of that name."""
    if weights is None:
        return offer
    if offer.source == TIATOOLBOX or weights not in (PROGRAM, *TENSORS):
        cause = f"has no weights {weights!r}"
        raise UsageError(offer.name, cause, f"the zoo has {', '.join((PROGRAM, *TENSORS))}")
    return replace(offer, weights=weights)


def offer_offline(name: str, hosts: Hosts) -> Offer:
    """Return an offer; one that cannot be looked up now is taken for one of the zoo."""
    try:
        return find_offer(name, hosts)
    except Unreachable:
        return Offer(name, "", WSINFER, f"kaczmarj/{name}", "main", PROGRAM)


def urls(offer: Offer, hosts: Hosts) -> str:
    """Return what to fetch."""
    return "fetch " + " and ".join(file_url(offer, hosts, offer.revision, f) for f in offer.files)


def by_hand(name: str, hosts: Hosts, weights: str | None, error: Unreachable) -> Unreachable:
    """Return what to do without a network: which files, and how to install them."""
    offer = with_weights(offer_offline(name, hosts), weights)
    command = f"breastpath models install {name} --from FOLDER"
    command += f" --weights {weights}" if weights else ""
    advice = (
        f"{urls(offer, hosts)} elsewhere into one FOLDER, then "
        f"`{command}` puts them into {models_folder() / name}"
    )
    return Unreachable(error.subject, error.cause, advice)
