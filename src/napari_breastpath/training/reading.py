"""From TOML to `Config` and back; whatever is wrong is named by its key, in one line."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import UsageError
from napari_breastpath.models.bundle import ROLES
from napari_breastpath.models.inputs import INPUTS
from napari_breastpath.preprocess.stain import ESTIMATORS
from napari_breastpath.training.config import TASKS, Config
from napari_breastpath.training.losses import LOSSES
from napari_breastpath.training.source_config import KINDS
from napari_breastpath.training.toml import build, read_toml

ADVICE = "correct it; docs/training.md lists every key"
TRAINABLE = ("smp", "torchvision", "timm")
PATHS = ("images", "labels", "table", "encoder_weights", "target", "out")


def load_config(path: Path | str) -> Config:
    """Read a training's TOML; its relative paths are relative to the file's folder.

    Raises
    ------
    UsageError
        Unreadable, or a key that is unknown, missing or holds what it must not.
    """
    path = Path(path)
    return parse_config(read_toml(path, ADVICE), path)


def parse_config(values: Mapping[str, Any], path: Path) -> Config:
    """Return the checked `Config` of TOML's values; `UsageError` names the key that is wrong."""
    config = build(Config, values, path, ADVICE)
    check_config(config, path)
    return _anchored(config, path.absolute().parent)


def config_toml(config: Config) -> str:
    """Return a config as TOML, every key written out."""
    return "\n".join(_lines(dataclasses.asdict(config), "")) + "\n"


def check_config(config: Config, path: Path) -> None:
    """Refuse values that no training can use; `UsageError` names the first."""
    for key, value, rule, words in _rules(config):
        if not rule(value):
            raise UsageError(path, f"`{key}` must be {words}, not {value!r}", ADVICE)


_Rule = tuple[str, Any, Callable[[Any], bool], str]


def _one_of(key: str, value: str, allowed: Any) -> _Rule:
    return key, value, lambda v: v in tuple(allowed), f"one of {', '.join(allowed)}"


def _positive(key: str, value: float) -> _Rule:
    return key, value, lambda v: v > 0, "greater than 0"


def _not_negative(key: str, value: float) -> _Rule:
    return key, value, lambda v: v >= 0, "0 or greater"


def _share(key: str, value: float) -> _Rule:
    return key, value, lambda v: 0 <= v <= 1, "between 0 and 1"


def _rules(config: Config) -> Iterator[_Rule]:
    fit, augment = config.fit, config.augment
    yield _one_of("task", config.task, TASKS)
    yield "classes", config.classes, bool, "at least one class"
    yield "sources", config.sources, bool, "at least one source"
    yield from _class_rules(config)
    for source in config.sources:
        yield from _source_rules(source)
    yield from _bundle_rules(config)
    yield _one_of("network.library", config.network.library, TRAINABLE)
    yield _one_of("network.freeze_norm", config.network.freeze_norm, ("auto", "yes", "no"))
    yield _one_of("input.space", config.input.space, INPUTS)
    yield _one_of("stain.method", config.stain.method, (*ESTIMATORS, "none"))
    yield _one_of("augment.rotation", augment.rotation, ("none", "90", "any"))
    yield _one_of("fit.loss", fit.loss, LOSSES)
    yield _one_of("fit.precision", fit.precision, ("auto", "32", "bf16"))
    for key in ("mpp", "folds", "decay_per_um", "boundary_um"):
        yield _positive(key, getattr(config, key))
    for key in ("rate", "encoder_rate", "batch", "tiles", "epochs", "patience", "reduce_by"):
        yield _positive(f"fit.{key}", getattr(fit, key))
    for key in ("minutes", "reduce_after", "clip", "threads", "workers"):
        yield _not_negative(f"fit.{key}", getattr(fit, key))
    for key in ("wrong", "right"):
        yield _not_negative(f"feed.{key}", getattr(config.feed, key))
    for key in ("mean", "std"):
        yield f"input.{key}", getattr(config.input, key), lambda v: len(v) == 3, "three numbers"
    yield "input.std", config.input.std, lambda v: min(v) > 0, "greater than 0"
    yield "augment.scale", augment.scale, _is_range, "two positive numbers, the smaller first"
    for key, value in (("tile_size", config.tile_size), ("fit.crop", config.crop)):
        yield key, value, lambda v: v > 0 and v % 32 == 0, "a multiple of 32 px"
    yield _share("validation", config.validation)
    yield _share("stain.share", config.stain.share)
    yield _share("fit.min_tissue", fit.min_tissue)
    yield _share("bundle.threshold", config.bundle.threshold)


def _bundle_rules(config: Config) -> Iterator[_Rule]:
    """Yield what `model.json` asks for: found now, not after hours of training."""
    about = config.bundle
    texts = {"name": config.name, "version": config.version}
    texts |= {f"bundle.{k}": getattr(about, k) for k in ("licence", "training_data")}
    texts |= {"bundle.intended_use": about.intended_use}
    for key, value in texts.items():
        yield key, value, lambda v: bool(v.strip()), "a text"
    words = "at least one text"
    yield "bundle.authors", about.authors, lambda v: bool(v) and all(a.strip() for a in v), words


def _is_colour(value: tuple[int, ...]) -> bool:
    return len(value) == 3 and all(0 <= each <= 255 for each in value)


def _class_rules(config: Config) -> Iterator[_Rule]:
    for one in config.classes:
        yield "classes.name", one.name, lambda v: bool(v.strip()), "a text"
        yield _one_of("classes.role", one.role, ROLES)
        yield "classes.color", one.color, _is_colour, "three numbers in 0–255"
    names = [one.name for one in config.classes]
    yield "classes", names, lambda v: len(set(v)) == len(v), "different names"
    if config.task == "nuclei":
        words = "one class (distance), or three: background, nucleus, boundary, in this order"
        yield "classes", names, lambda v: len(v) in (1, 3), words
    if config.task == "points":
        yield "classes", names, lambda v: len(v) == 1, "one class, what the points are"
    kinds, allowed = {s.kind for s in config.sources}, _KINDS_OF.get(config.task, ())
    yield (
        "sources.kind",
        sorted(kinds),
        lambda v: set(v) <= set(allowed),
        f"{' or '.join(allowed)} for the task {config.task}",
    )
    losses = {name for name, loss in LOSSES.items() if loss.fits(len(config.classes))}
    yield _one_of("fit.loss", config.fit.loss, sorted(losses))


_KINDS_OF = {
    "segmentation": ("results", "slides", "masks"),
    "classification": ("classes",),
    "points": ("points",),
    "nuclei": ("instances",),
}


def _source_rules(source: Any) -> Iterator[_Rule]:
    yield _one_of("sources.kind", source.kind, KINDS)
    yield _positive("sources.share", source.share)
    yield _one_of("sources.tissue", source.tissue, ("", "none", "otsu", "yen"))
    yield (
        "sources.mpp",
        source.mpp,
        lambda v: len(v) <= 2 and all(one > 0 for one in v),
        "one or two positive µm/px",
    )


def _is_range(value: tuple[float, ...]) -> bool:
    return len(value) == 2 and 0 < value[0] <= value[1]


def _anchored(config: Config, folder: Path) -> Config:
    """Return the config with its relative paths made absolute."""
    sources = tuple(_anchor(source, folder) for source in config.sources)
    network, stain = _anchor(config.network, folder), _anchor(config.stain, folder)
    changed = dataclasses.replace(config, sources=sources, network=network, stain=stain)
    anchored: Config = _anchor(changed, folder)
    return anchored


def _anchor(section: Any, folder: Path) -> Any:
    changes = {
        key: os.path.normpath(folder / Path(value).expanduser())
        for key in PATHS
        if (value := getattr(section, key, "")) and not _is_name(key, value)
    }
    return dataclasses.replace(section, **changes)


def _is_name(key: str, value: str) -> bool:
    """Tell the name of weights to download from a file."""
    return key == "encoder_weights" and "/" not in value and "." not in value


def _lines(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield TOML: plain keys first, then tables, then lists of tables."""
    for key, value in values.items():
        if not _is_table(value):
            yield f"{_key(key)} = {_literal(value)}"
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ("", f"[{prefix}{_key(key)}]", *_lines(value, f"{prefix}{_key(key)}."))
        elif _is_table(value):
            for each in value:
                yield from ("", f"[[{prefix}{_key(key)}]]")
                yield from _lines(each, f"{prefix}{_key(key)}.")


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, tuple | list) and any(isinstance(each, Mapping) for each in value)
    )


def _key(key: str) -> str:
    plain = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if plain else json.dumps(key)


def _literal(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False)
