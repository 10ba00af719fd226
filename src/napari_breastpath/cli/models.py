"""`breastpath models`: what there is, where it comes from, whether it may run."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_breastpath.cli.terminal import Reporter, complain, plain
from napari_breastpath.core.errors import ModelError, UsageError

if TYPE_CHECKING:
    from napari_breastpath.models import ModelBundle

OK, FAILED = 0, 1


def models(args: Namespace) -> int:
    """List, show, install, verify, trust or export models."""
    if args.action != "list" and not args.name:
        raise UsageError("models", f"nothing to {args.action}", "name a model")
    return ACTIONS[args.action](args)


def _list(args: Namespace) -> int:
    from napari_breastpath.models import list_models

    for bundle in list_models():
        print(plain(_line(bundle)))
    return _list_available(args) if args.available else OK


def _line(bundle: ModelBundle) -> str:
    names = ", ".join(c.name for c in bundle.classes)
    foreign = f"  [{bundle.licence}; not run by us]" if bundle.origin else ""
    calls_itself = "" if bundle.name == bundle.folder.name else f"{bundle.name} "
    name = f"{bundle.folder.name} {calls_itself}{bundle.version}"
    return f"{name}  {bundle.task}, {bundle.mpp:g} µm/px, {names}{foreign}"


def _list_available(args: Namespace) -> int:
    """Print what can be installed; without the network, what is known without asking."""
    from napari_breastpath.models.foreign.sources import Hosts, published_offers, zoo_offers

    code, offers = OK, published_offers()
    try:
        offers += zoo_offers(Hosts.chosen(args.hub))
    except ModelError as error:
        complain(error)
        code = FAILED
    for offer in offers:
        print(plain(f"{offer.name}  {offer.source}, to be installed: {offer.description}"))
    return code


def _show(args: Namespace) -> int:
    from napari_breastpath.models import load_model
    from napari_breastpath.models.cards import card_text

    print("\n".join(map(plain, card_text(load_model(args.name)).splitlines())))
    return OK


def _install(args: Namespace) -> int:
    from napari_breastpath.models import installing, is_trusted
    from napari_breastpath.models.foreign.sources import Hosts

    hosts, path = Hosts.chosen(args.hub), Path(args.name)
    reporter = Reporter(args.name)
    try:
        if args.folder is not None:
            bundle = installing.install_fetched(args.name, args.folder, hosts, args.weights)
        elif path.is_dir() or path.suffix.lower() == ".zip":
            bundle = installing.install_local(path)
        else:
            bundle = installing.install_offer(args.name, hosts, reporter, args.weights)
    finally:
        reporter.close()
    print(plain(_line(bundle)))
    if not is_trusted(bundle):
        print(f"holds a program; to let it run: breastpath models trust {bundle.folder.name}")
    return OK


def _verify(args: Namespace) -> int:
    from napari_breastpath.models import verify_model

    print(verify_model(args.name))
    return OK


def _trust(args: Namespace) -> int:
    """Show what is asked for, then ask."""
    from napari_breastpath.models import load_model, trust_model
    from napari_breastpath.models.trust import source

    bundle = load_model(args.name)
    if not bundle.runs_code:
        print(f"{bundle.name} holds numbers only; it needs no trust")
        return OK
    print(plain(f"model     {bundle.name} {bundle.version}, {bundle.format}: a program"))
    print(plain(f"source    {source(bundle)}"))
    print(f"SHA-256   {bundle.sha256}")
    print(plain(f"licence   {bundle.licence}"))
    if not (args.yes or _agrees()):
        print("not trusted")
        return FAILED
    trust_model(bundle)
    print("trusted; it runs as long as its SHA-256 is this one")
    return OK


def _agrees() -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        advice = "run it on a terminal, or add --yes if you trust this source"
        raise UsageError("models trust", "nobody is there to be asked", advice)
    return input("Trust this program with everything on this machine? [y/N] ").strip() in ("y", "Y")


def _export(args: Namespace) -> int:
    from napari_breastpath.models import load_model
    from napari_breastpath.models.exporting import export_model

    if args.to is None or args.out is None:
        raise UsageError("models export", "format or folder is missing", "give --to and --out")
    for note in export_model(load_model(args.name), args.to, args.out):
        complain(f"{args.name}: {note}")
    print(args.out)
    return OK


ACTIONS: dict[str, Callable[[Namespace], int]] = {
    "list": _list,
    "show": _show,
    "install": _install,
    "verify": _verify,
    "trust": _trust,
    "export": _export,
}
