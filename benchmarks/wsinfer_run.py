"""A whole run of a zoo-layout TorchScript patch model against WSInfer with the same folder.

A ResNet-34 of random weights, exported by us, for patches of 256 px; each finds tissue its own way
(WSInfer takes no mask), so tiles differ a little and seconds per tile are what compares. Same
slide, batch and processors; imports are uncounted on both sides, all else is counted, the model's
loading included. WSInfer runs in an environment of its own, made at the first time.

    python benchmarks/wsinfer_run.py [--width 20000 --height 16000] [--mpp 0.5] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from by_turns import options
from gigapixel import write_slide
from peers import Answer, Peer, compare, keep_to, peer, peer_parser, timed
from random_models import zoo_model

from napari_breastpath import analyze, load_model
from napari_breastpath.models import trust_model

REQUIREMENTS = ("wsinfer==0.6.1", "zarr<3", "numpy<2", "openslide-python", "openslide-bin")


def main() -> None:
    """Write slide and model, run the rounds, print medians and ratios."""
    arguments = parse()
    keep_to(arguments.threads)
    with (
        tempfile.TemporaryDirectory() as name,
        peer("wsinfer", arguments.environment, REQUIREMENTS, arguments.threads) as theirs,
    ):
        folder = Path(name)
        os.environ["BREASTPATH_MODELS"] = str(folder / "trusted")
        model = zoo_model(folder / "model", arguments.mpp)
        trust_model(load_model(model))
        slides = {"first": (2000, 1600), "slide": (arguments.width, arguments.height)}
        for what, size in slides.items():
            (folder / what).mkdir()
            write_slide(folder / what / "slide.tif", *size)
        one_round(folder / "first", model, theirs, arguments)
        turns = range(arguments.rounds)
        compare("WSInfer", [one_round(folder / "slide", model, theirs, arguments) for _ in turns])


def parse() -> argparse.Namespace:
    """Return the command line."""
    parser = peer_parser(__doc__, "wsinfer", mpp=0.5, workers=2)
    return options(parser, width=5000, height=4000, rounds=1)


def one_round(
    folder: Path, model: Path, theirs: Peer, arguments: argparse.Namespace
) -> tuple[Answer, Answer]:
    """Return what our run and theirs took."""
    mine = ours(folder, model, arguments)
    answer = theirs.ask(
        slides=folder,
        model=model,
        out=folder.parent / "theirs",
        batch=arguments.batch,
        workers=arguments.workers,
    )
    return mine, answer


def ours(folder: Path, model: Path, arguments: argparse.Namespace) -> Answer:
    """Run our analysis."""
    return timed(
        lambda: analyze(
            folder / "slide.tif",
            folder.parent / "ours",
            model=model,
            stain="none",
            device="cpu",
            batch_size=arguments.batch,
            threads=arguments.threads,
            resume=False,
        )
    )


if __name__ == "__main__":
    main()
